"""The shapes of what goes in and out. Their words are translated when the document is asked for."""

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

from blog.models import Follow, Post, User
from blog.pagination import Page
from exports.archive.kinds import KINDS
from exports.archive.sections import as_time
from exports.models import ErrorCode, ExportTask, MailStatus, Status
from exports.progress import render_progress

Moment = Annotated[
    datetime, PlainSerializer(as_time), WithJsonSchema({"type": "string", "format": "date-time"})
]


def site(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def older(request: HttpRequest, page: Page[Any]) -> str | None:
    """The address of the next page."""
    return site(f"{request.path}?{urlencode({'before': page.older})}") if page.older else None


class FieldError(Schema):
    field: str = Field(description=_("The name of the field, empty for the whole."))
    detail: str = Field(description=_("What is wrong with it, in the reader's language."))


class Problem(Schema):
    type: str
    title: str
    status: int
    detail: str = Field(description=_("What to do about it, in the reader's language."))
    errors: list[FieldError] = Field(
        default_factory=list, description=_("Of 422 alone: each field that is wrong.")
    )


def _whole(text: str) -> str:
    """Refuse half a character: JSON can hold it, UTF-8 cannot."""
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_whole)]


class Given(Schema):
    """What is sent; a field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid")


class PersonOut(Schema):
    username: str
    url: str = Field(description=_("The person's page."))
    about_me: str

    @classmethod
    def of(cls, person: User) -> "PersonOut":
        return cls(
            username=person.username, url=site(person.get_absolute_url()), about_me=person.about_me
        )


class ProfileOut(PersonOut):
    language: str = Field(description=_("The code of one of the site's languages, or empty."))
    time_zone: str = Field(description=_("The name of a time zone, or empty."))
    joined_at: Moment
    posts: int
    following: int
    followers: int

    @classmethod
    def of_described(cls, person: Any) -> "ProfileOut":
        """Of somebody out of `User.objects.described`."""
        return cls(
            **PersonOut.of(person).dict(),
            language=person.language,
            time_zone=person.time_zone,
            joined_at=person.date_joined,
            posts=person.posts_count,
            following=person.following_count,
            followers=person.followers_count,
        )


class ProfileIn(Given):
    about_me: Text = Field(default_factory=str, description=_("280 characters at most."))
    language: Text = Field(
        default_factory=str, description=_("The code of one of the site's languages, or empty.")
    )
    time_zone: Text = Field(
        default_factory=str, description=_("The name of a time zone, or empty.")
    )


class PostIn(Given):
    body: Text = Field(description=_("280 characters at most, counted as Unicode code points."))


class PostOut(Schema):
    id: int
    url: str = Field(description=_("The post's page."))
    author: str = Field(description=_("Their username."))
    body: str
    created_at: Moment
    edited_at: Moment | None
    is_hidden: bool = Field(
        description=_("Whether staff hid it; then nobody but its author is shown it.")
    )
    hidden_reason: str

    @classmethod
    def of(cls, post: Post) -> "PostOut":
        return cls(
            id=post.pk,
            url=site(post.get_absolute_url()),
            author=post.author.username,
            body=post.body,
            created_at=post.created_at,
            edited_at=post.edited_at,
            is_hidden=post.hidden_at is not None,
            hidden_reason=post.hidden_reason,
        )


class PageOut(Schema):
    older: str | None = Field(description=_("The address of the next page; null on the last."))


class PostPage(PageOut):
    items: list[PostOut]

    @classmethod
    def of(cls, request: HttpRequest, page: Page[Post]) -> "PostPage":
        return cls(items=[PostOut.of(post) for post in page.items], older=older(request, page))


class FollowOut(PersonOut):
    followed_at: Moment

    @classmethod
    def of_follow(cls, follow: Follow) -> "FollowOut":
        return cls(**PersonOut.of(follow.followed).dict(), followed_at=follow.created_at)


class FollowPage(PageOut):
    items: list[FollowOut]

    @classmethod
    def of(cls, request: HttpRequest, page: Page[Follow]) -> "FollowPage":
        return cls(
            items=[FollowOut.of_follow(follow) for follow in page.items], older=older(request, page)
        )


class ArchiveOut(Schema):
    url: str = Field(description=_("Where it can be downloaded, with the token."))
    bytes: int | None
    sha256: str
    expires_at: Moment | None

    @classmethod
    def of(cls, task: ExportTask) -> "ArchiveOut":
        return cls(
            url=site(reverse("api-1:export_download", args=[task.pk])),
            bytes=task.archive_bytes,
            sha256=task.archive_sha256,
            expires_at=task.archive_expires_at,
        )


class ExportIn(Given):
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
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    archive: ArchiveOut | None = Field(
        description=_("Null until it is built, and once it has expired.")
    )

    @classmethod
    def of(cls, task: ExportTask, facts: dict[str, Any]) -> "ExportOut":
        """Of a task and the facts that are known of it: `last_payload()` also has its place in line."""
        shown = render_progress(facts)
        is_settled = facts["mail"] in (MailStatus.SENT, MailStatus.GAVE_UP)
        return cls(
            id=task.pk,
            url=site(task.get_absolute_url()),
            kind=task.kind,
            status=Status(task.status),
            percent=100 if is_settled else shown["value"],
            rows_done=task.rows_done,
            rows_total=task.rows_total,
            text=shown["text"],
            mail=facts["mail"] and MailStatus(facts["mail"]),
            error=str(ErrorCode(task.error_code).label) if task.error_code else None,
            created_at=task.created_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            archive=ArchiveOut.of(task) if task.is_downloadable else None,
        )


class ExportPage(PageOut):
    items: list[ExportOut]

    @classmethod
    def of(cls, request: HttpRequest, page: Page[ExportTask]) -> "ExportPage":
        return cls(
            items=[ExportOut.of(task, task.payload()) for task in page.items],
            older=older(request, page),
        )


Before = Annotated[
    str | None,
    Query(description=_("Where the page begins. “older” has it: follow that address as it is.")),
]


def problems(*statuses: int) -> dict[int, type[Problem]]:
    """What an operation may answer instead: the statuses named, and those that all have."""
    return dict.fromkeys(sorted({401, 429, 500, *statuses}), Problem)
