"""Schemas of requests and responses.

Descriptions are translated when the OpenAPI document is requested.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_noop as _
from django_stubs_ext import StrOrPromise
from ninja import Field, Query, Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from blog.formatting import isoformat_utc
from blog.models import Follow, Notification, Post, User
from blog.pagination import PAGE_SIZE, Page
from blog.search.query import MAX_RESULTS, SearchResult
from exports.archive.kinds import KINDS
from exports.models import ErrorCode, ExportTask, MailStatus, Status
from exports.progress import render_progress
from imports import progress as import_progress
from imports.models import ImportTask

from .problems import UNKNOWN_FIELD, validation_message

Timestamp = Annotated[
    datetime,
    PlainSerializer(isoformat_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def absolute_url(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def next_page_url(request: HttpRequest, page: Page[Any]) -> str | None:
    if not page.older:
        return None
    return absolute_url(f"{request.path}?{urlencode({'before': page.older})}")


class FieldError(Schema):
    field: str = Field(
        description=_("The field's name; empty if the error concerns the whole body.")
    )
    detail: str = Field(description=_("What's wrong with the field, in the reader's language."))


class Problem(Schema):
    type: str = Field(description=_("Always “about:blank”; the status identifies the problem."))
    title: str = Field(description=_("The reason phrase of the HTTP status, in English."))
    status: int
    detail: str = Field(description=_("What to do about it, in the reader's language."))
    errors: list[FieldError] = Field(
        default_factory=list, description=_("Only with 422: one entry per invalid field.")
    )


def _reject_lone_surrogates(text: str) -> str:
    """Reject a lone surrogate, which JSON can hold but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("lone_surrogate", "lone surrogate") from error
    return text


Text = Annotated[str, AfterValidator(_reject_lone_surrogates)]


class InputSchema(Schema):
    """Base class of request bodies. `require_valid` answers with its errors and the form's."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    _errors: list[tuple[str, StrOrPromise]] = PrivateAttr(default_factory=list)

    @model_validator(mode="wrap")
    @classmethod
    def _collect_errors(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Keep the errors of single fields, and leave these fields out."""
        if not isinstance(values, dict):
            raise PydanticCustomError("not_an_object", "not an object")
        known = {name: value for name, value in values.items() if name in cls.model_fields}
        errors: list[tuple[str, StrOrPromise]] = [
            (name, UNKNOWN_FIELD) for name in values if name not in known
        ]
        try:
            data = handler(known)
        except ValidationError as error:
            details = {str(detail["loc"][0]): detail["type"] for detail in error.errors()}
            errors += [(name, validation_message(kind)) for name, kind in details.items()]
            data = cls.model_construct(
                **{name: value for name, value in known.items() if name not in details}
            )
        data._errors = errors
        return data

    @property
    def errors(self) -> list[tuple[str, StrOrPromise]]:
        return self._errors


class TaskStatus(StrEnum):
    """Status of an export or import, in the words of the API."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class MailState(StrEnum):
    """What has become of a mail, in the words of the API."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    GAVE_UP = "gave_up"


class ImportPhase(StrEnum):
    PREVIEW = "preview"
    IMPORT = "import"
    UNDO = "undo"


STATUS_DESCRIPTION = _(
    "“queued”: waiting for a worker; “running”: a worker is processing it. The other values are "
    "final: “succeeded”, “failed” (see “error”) and “cancelled”."
)
TASK_STATUSES = {
    Status.READY: TaskStatus.QUEUED,
    Status.RUNNING: TaskStatus.RUNNING,
    Status.SUCCESSFUL: TaskStatus.SUCCEEDED,
    Status.FAILED: TaskStatus.FAILED,
    Status.CANCELLED: TaskStatus.CANCELLED,
}


class PersonOut(Schema):
    username: str
    url: str = Field(description=_("The person's profile page."))
    about_me: str

    @classmethod
    def from_user(cls, user: User) -> "PersonOut":
        return cls(
            username=user.username,
            url=absolute_url(user.get_absolute_url()),
            about_me=user.about_me,
        )


class ProfileOut(PersonOut):
    language: str = Field(description=_("The code of one of the site's languages, or empty."))
    time_zone: str = Field(description=_("The name of a time zone, or empty."))
    joined_at: Timestamp
    posts: int
    following: int
    followers: int

    @classmethod
    def from_profile(cls, user: Any) -> "ProfileOut":
        """Build from a user of `User.objects.with_profile()`, which annotates the counts."""
        return cls(
            **PersonOut.from_user(user).dict(),
            language=user.language,
            time_zone=user.time_zone,
            joined_at=user.date_joined,
            posts=user.posts_count,
            following=user.following_count,
            followers=user.followers_count,
        )


class ProfileIn(InputSchema):
    about_me: Text = Field(default_factory=str, description=_("Up to 280 characters."))
    language: Text = Field(
        default_factory=str, description=_("The code of one of the site's languages, or empty.")
    )
    time_zone: Text = Field(
        default_factory=str, description=_("The name of a time zone, or empty.")
    )


class PostIn(InputSchema):
    body: Text = Field(description=_("Up to 500 characters, counted as Unicode code points."))


class PostOut(Schema):
    id: int
    url: str = Field(description=_("The post's page."))
    author: str = Field(description=_("The author's username."))
    body: str
    created_at: Timestamp
    edited_at: Timestamp | None
    is_hidden: bool = Field(
        description=_(
            "Whether staff have hidden it. Hidden posts are visible only to their author."
        )
    )
    hidden_reason: str
    source: str = Field(
        description=_("The service it was imported from, such as “mastodon”; otherwise empty.")
    )
    source_id: str = Field(description=_("Its ID at that service; otherwise empty."))
    source_url: str = Field(description=_("Its page at that service; otherwise empty."))

    @classmethod
    def from_post(cls, post: Post) -> "PostOut":
        return cls(
            id=post.pk,
            url=absolute_url(post.get_absolute_url()),
            author=post.author.username,
            body=post.body,
            created_at=post.created_at,
            edited_at=post.edited_at,
            is_hidden=post.hidden_at is not None,
            hidden_reason=post.hidden_reason,
            source=post.source,
            source_id=post.source_id,
            source_url=post.source_url,
        )


class PersonDetailOut(PersonOut):
    joined_at: Timestamp
    posts: int
    following: int
    followers: int
    is_followed: bool = Field(description=_("Whether you follow the person."))
    is_muted: bool = Field(description=_("Whether you've muted the person."))

    @classmethod
    def from_profile(cls, user: Any) -> "PersonDetailOut":
        """Build from a user that `User.objects.find_profile()` has annotated."""
        return cls(
            **PersonOut.from_user(user).dict(),
            joined_at=user.date_joined,
            posts=user.posts_count,
            following=user.following_count,
            followers=user.followers_count,
            is_followed=user.is_followed,
            is_muted=user.is_muted,
        )


class PageOut(Schema):
    older: str | None = Field(description=_("The address of the next page; null on the last page."))


class PostPage(PageOut):
    items: list[PostOut]

    @classmethod
    def from_page(cls, request: HttpRequest, page: Page[Post]) -> "PostPage":
        return cls(
            items=[PostOut.from_post(post) for post in page.items],
            older=next_page_url(request, page),
        )


class FollowOut(PersonOut):
    followed_at: Timestamp

    @classmethod
    def from_follow(cls, follow: Follow, user: User) -> "FollowOut":
        """Build from a follow and one of its two people."""
        return cls(**PersonOut.from_user(user).dict(), followed_at=follow.created_at)


class FollowPage(PageOut):
    items: list[FollowOut]

    @classmethod
    def of_followed(cls, request: HttpRequest, page: Page[Follow]) -> "FollowPage":
        return cls(
            items=[FollowOut.from_follow(follow, follow.followed) for follow in page.items],
            older=next_page_url(request, page),
        )

    @classmethod
    def of_followers(cls, request: HttpRequest, page: Page[Follow]) -> "FollowPage":
        return cls(
            items=[FollowOut.from_follow(follow, follow.follower) for follow in page.items],
            older=next_page_url(request, page),
        )


class SearchPage(Schema):
    count: int = Field(description=_("Number of results, up to 200."))
    has_more: bool = Field(description=_("Whether there are more matches than “count”."))
    next: str | None = Field(description=_("The address of the next page; null on the last page."))

    @staticmethod
    def url_after(request: HttpRequest, start: int, result: SearchResult) -> str | None:
        following = start + PAGE_SIZE
        if following >= len(result.keys):
            return None
        query = urlencode({"q": request.GET["q"], "from": following})
        return absolute_url(f"{request.path}?{query}")


class PostSearchPage(SearchPage):
    items: list[PostOut]


class PersonSearchPage(SearchPage):
    items: list[PersonOut]


class NotificationOut(Schema):
    id: int
    kind: str = Field(description=_("The kind of event, such as “follow”, “mention” or “export”."))
    text: str = Field(description=_("What happened, in the reader's language."))
    url: str = Field(description=_("The page it's about."))
    person: str | None = Field(
        description=_("The username of the person who caused it; null if nobody did.")
    )
    post: int | None = Field(
        description=_("The ID of the post it's about; null if there isn't one.")
    )
    is_read: bool
    updated_at: Timestamp

    @classmethod
    def from_notification(cls, row: Notification, toast: dict[str, Any]) -> "NotificationOut":
        return cls(
            id=row.pk,
            kind=row.kind,
            text=toast["text"],
            url=absolute_url(toast["url"]),
            person=row.actor.username if row.actor else None,
            post=row.post_id,
            is_read=row.read_at is not None,
            updated_at=row.updated_at,
        )


class NotificationPage(PageOut):
    unread: int = Field(
        description=_("Number of unread notifications, not counting new messages, up to 100.")
    )
    items: list[NotificationOut]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("datetime_type", "out of range") from error


class NotificationReadIn(InputSchema):
    until: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(
        description=_("The “updated_at” of the newest one you've seen. Newer ones stay unread.")
    )


class ArchiveOut(Schema):
    url: str = Field(description=_("Where to download it; requires the token."))
    bytes: int | None
    sha256: str
    expires_at: Timestamp | None

    @classmethod
    def from_task(cls, task: ExportTask) -> "ArchiveOut":
        return cls(
            url=absolute_url(reverse("api-1:export_download", args=[task.pk])),
            bytes=task.archive_bytes,
            sha256=task.archive_sha256,
            expires_at=task.archive_expires_at,
        )


def _reject_unknown_kind(kind: str) -> str:
    if kind not in KINDS:
        raise PydanticCustomError("unknown_kind", "unknown kind")
    return kind


class ExportIn(InputSchema):
    kind: Annotated[Text, AfterValidator(_reject_unknown_kind)] = Field(
        "posts", description=_("What to export."), json_schema_extra={"enum": [*KINDS]}
    )


class ExportOut(Schema):
    id: UUID
    url: str = Field(description=_("The export's page."))
    kind: str
    status: TaskStatus = Field(description=STATUS_DESCRIPTION)
    percent: int = Field(
        description=_(
            "Progress in percent; 100 once the email has been sent or has failed for good."
        ),
        ge=0,
        le=100,
    )
    rows_done: int
    rows_total: int = Field(description=_("An estimate until the export has finished."))
    text: str = Field(description=_("Status text, in the reader's language."))
    mail: MailState | None = Field(description=_("Delivery status of the email with the archive."))
    error: str | None = Field(description=_("Why it failed, in the reader's language."))
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    archive: ArchiveOut | None = Field(
        description=_("Null until the archive is ready, and again after it expires.")
    )

    @classmethod
    def from_task(cls, task: ExportTask, payload: dict[str, Any]) -> "ExportOut":
        """Build from a task and its notification payload."""
        progress = render_progress(payload)
        is_settled = payload["mail"] in (MailStatus.SENT, MailStatus.GAVE_UP)
        return cls(
            id=task.pk,
            url=absolute_url(task.get_absolute_url()),
            kind=task.kind,
            status=TASK_STATUSES[Status(task.status)],
            percent=100 if is_settled else progress["value"],
            rows_done=task.rows_done,
            rows_total=task.rows_total,
            text=progress["text"],
            mail=MailState[payload["mail"]] if payload["mail"] else None,
            error=str(ErrorCode(task.error_code).label) if task.error_code else None,
            created_at=task.created_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            archive=ArchiveOut.from_task(task) if task.is_downloadable else None,
        )


class ExportPage(PageOut):
    items: list[ExportOut]

    @classmethod
    def from_page(cls, request: HttpRequest, page: Page[ExportTask]) -> "ExportPage":
        return cls(
            items=[ExportOut.from_task(task, task.payload()) for task in page.items],
            older=next_page_url(request, page),
        )


class ImportOut(Schema):
    id: UUID
    url: str = Field(description=_("The import's page."))
    source: str = Field(description=_("The service the archive comes from."))
    phase: ImportPhase
    status: TaskStatus = Field(description=STATUS_DESCRIPTION)
    percent: int = Field(description=_("Progress of the current phase in percent."), ge=0, le=100)
    rows_done: int
    rows_total: int
    text: str = Field(description=_("Status text, in the reader's language."))
    error: str | None = Field(description=_("Why it failed, in the reader's language."))
    imported: int = Field(description=_("Number of posts imported, once the import has finished."))
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def from_task(cls, task: ImportTask) -> "ImportOut":
        progress = import_progress.render_progress(task.payload())
        return cls(
            id=task.pk,
            url=absolute_url(task.get_absolute_url()),
            source=task.source,
            phase=ImportPhase[task.phase],
            status=TASK_STATUSES[Status(task.status)],
            percent=100 if task.status == Status.SUCCESSFUL else progress["value"],
            rows_done=task.rows_done,
            rows_total=task.rows_total,
            text=progress["text"],
            error=str(task.get_error_code_display()) if task.error_code else None,
            imported=task.imported,
            created_at=task.created_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
        )


class ImportPage(PageOut):
    items: list[ImportOut]

    @classmethod
    def from_page(cls, request: HttpRequest, page: Page[ImportTask]) -> "ImportPage":
        return cls(
            items=[ImportOut.from_task(task) for task in page.items],
            older=next_page_url(request, page),
        )


SearchText = Annotated[
    str, Query(alias="q", description=_("Words, or beginnings of words. All must match."))
]
SearchStart = Annotated[
    int,
    Query(
        alias="from",
        ge=0,
        le=MAX_RESULTS,
        description=_("Number of results to skip. Follow “next” instead of computing it."),
    ),
]
Before = Annotated[
    str | None,
    Query(description=_("Paging cursor. Don't construct it; follow “older”.")),
]


def problem_responses(*statuses: int) -> dict[int, type[Problem]]:
    """Return the error responses of an operation: `statuses` and those common to all."""
    return dict.fromkeys(sorted({401, 429, 500, *statuses}), Problem)
