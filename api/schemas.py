"""Schemas of requests and responses.

Descriptions are translated when the OpenAPI document is requested.
"""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_noop as _
from ninja import Field, Query, Schema
from pydantic import AfterValidator, ConfigDict, PlainSerializer, WithJsonSchema

from blog.formatting import isoformat_utc
from blog.models import Follow, Post, User
from blog.pagination import Page
from exports.archive.kinds import KINDS
from exports.models import ErrorCode, ExportTask, MailStatus, Status
from exports.progress import render_progress
from imports import progress as import_progress
from imports.models import ImportTask, Phase

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
    field: str = Field(description=_("The name of the field, empty for the whole."))
    detail: str = Field(description=_("What is wrong with it, in the reader's language."))


class Problem(Schema):
    type: str = Field(description=_("Always “about:blank”: the status says which problem it is."))
    title: str = Field(description=_("The phrase of the HTTP status, in English."))
    status: int
    detail: str = Field(description=_("What to do about it, in the reader's language."))
    errors: list[FieldError] = Field(
        default_factory=list, description=_("Of 422 alone: each field that is wrong.")
    )


def _reject_lone_surrogates(text: str) -> str:
    """Raise UnicodeEncodeError for half a character, which JSON can hold but UTF-8 cannot."""
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_reject_lone_surrogates)]


class InputSchema(Schema):
    """Base class of request bodies. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")


class PersonOut(Schema):
    username: str
    url: str = Field(description=_("The person's page."))
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
    about_me: Text = Field(default_factory=str, description=_("280 characters at most."))
    language: Text = Field(
        default_factory=str, description=_("The code of one of the site's languages, or empty.")
    )
    time_zone: Text = Field(
        default_factory=str, description=_("The name of a time zone, or empty.")
    )


class PostIn(InputSchema):
    body: Text = Field(description=_("500 characters at most, counted as Unicode code points."))


class PostOut(Schema):
    id: int
    url: str = Field(description=_("The post's page."))
    author: str = Field(description=_("Their username."))
    body: str
    created_at: Timestamp
    edited_at: Timestamp | None
    is_hidden: bool = Field(
        description=_("Whether staff hid it; then nobody but its author is shown it.")
    )
    hidden_reason: str
    source: str = Field(
        description=_("The service that it was imported from, such as “mastodon”, or empty.")
    )
    source_id: str = Field(description=_("Its id at that service, or empty."))
    source_url: str = Field(description=_("Its page at that service, or empty."))

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


class PageOut(Schema):
    older: str | None = Field(description=_("The address of the next page; null on the last."))


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
    def from_follow(cls, follow: Follow) -> "FollowOut":
        return cls(**PersonOut.from_user(follow.followed).dict(), followed_at=follow.created_at)


class FollowPage(PageOut):
    items: list[FollowOut]

    @classmethod
    def from_page(cls, request: HttpRequest, page: Page[Follow]) -> "FollowPage":
        return cls(
            items=[FollowOut.from_follow(follow) for follow in page.items],
            older=next_page_url(request, page),
        )


class ArchiveOut(Schema):
    url: str = Field(description=_("Where it can be downloaded, with the token."))
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


class ExportIn(InputSchema):
    kind: Text = Field(
        "posts", description=_("What to export."), json_schema_extra={"enum": [*KINDS]}
    )


class ExportOut(Schema):
    id: UUID
    url: str = Field(description=_("The export's page."))
    kind: str
    status: Status
    percent: int = Field(
        description=_("How far it is; 100 once the e-mail is settled too."), ge=0, le=100
    )
    rows_done: int
    rows_total: int = Field(description=_("An estimate until it is finished."))
    text: str = Field(description=_("How things stand, in the reader's language."))
    mail: MailStatus | None = Field(
        description=_("What has become of the e-mail with the archive.")
    )
    error: str | None = Field(description=_("Why it failed, in the reader's language."))
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    archive: ArchiveOut | None = Field(
        description=_("Null until it is built, and once it has expired.")
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
            status=Status(task.status),
            percent=100 if is_settled else progress["value"],
            rows_done=task.rows_done,
            rows_total=task.rows_total,
            text=progress["text"],
            mail=payload["mail"] and MailStatus(payload["mail"]),
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
    source: str = Field(description=_("The service that the archive is from."))
    phase: Phase
    status: Status
    percent: int = Field(description=_("How far this phase is."), ge=0, le=100)
    rows_done: int
    rows_total: int
    text: str = Field(description=_("How things stand, in the reader's language."))
    error: str | None = Field(description=_("Why it failed, in the reader's language."))
    imported: int = Field(description=_("Posts of this import at its end."))
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
            phase=Phase(task.phase),
            status=Status(task.status),
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


Before = Annotated[
    str | None,
    Query(description=_("Where the page begins. “older” has it: follow that address as it is.")),
]


def problem_responses(*statuses: int) -> dict[int, type[Problem]]:
    """Return the error responses of an operation: `statuses` and those common to all."""
    return dict.fromkeys(sorted({401, 429, 500, *statuses}), Problem)
