"""What an account archive is made of: for each file, which rows and fields it is read from.

The archive, its README, the page before asking and the coverage contract all come from these declarations.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Field, ForeignObjectRel, Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.models import ApiToken, Block, Follow, Mute, Notification, Participant, Post, Report, User

from .json_document import FORMAT_VERSION, listing


@dataclass(frozen=True)
class Part:
    """One JSON file: the rows of `model` that the field `whose` leads to the owner, in that `order`.

    `values` names the field, or the path to it, behind each key. All rows come from one SELECT.
    """

    name: str
    title: StrOrPromise
    words: StrOrPromise
    model: type[Model]
    whose: str
    values: Mapping[str, str]
    order: tuple[str, ...] = ("created_at", "id")
    where: Q = field(default_factory=Q)

    @property
    def file_name(self) -> str:
        return f"{self.name}.json"

    def of(self, owner: User) -> QuerySet[Any]:
        return self.model._default_manager.filter(self.where, **{self.whose: owner.pk}).order_by(
            *self.order
        )

    def chunks(self, owner: User, rows: int) -> Iterator[tuple[int, bytes]]:
        return listing(owner.username, self.name, self._lines(self._rows(owner, rows)), rows)

    def _rows(self, owner: User, rows: int) -> Generator[tuple[Any, ...]]:
        found = self.of(owner).values_list(*self.values.values()).iterator(chunk_size=rows)
        return cast("Generator[tuple[Any, ...]]", found)

    def _lines(self, rows: Iterator[tuple[Any, ...]]) -> Generator[str]:
        yield from (as_json(dict(zip(self.values, row, strict=True))) for row in rows)

    def fields(self) -> set[str]:
        """The labels of all fields that the file is read from, such as `blog.Follow.followed`."""
        return {
            label
            for path in (self.whose, *self.values.values())
            for label in _along(self.model, path)
        }

    def way(self) -> str:
        """The label of the field that leads to the owner."""
        return _label(self.model._meta.get_field(self.whose))


class Profile(Part):
    """A file with the one row that there is of each person."""

    def chunks(self, owner: User, rows: int) -> Iterator[tuple[int, bytes]]:
        [line] = self._lines(self._rows(owner, rows))
        head = f'{{"version": {FORMAT_VERSION}, "username": {as_json(owner.username)}'
        yield 1, f'{head}, "{self.name}": {line}, "count": 1}}\n'.encode()


class Conversations(Part):
    """A file whose rows are messages, those of a conversation together. The first two values are the conversation's."""

    def _lines(self, rows: Iterator[tuple[Any, ...]]) -> Generator[str]:
        outer, inner = list(self.values)[:2], list(self.values)[2:]
        for about, messages in groupby(rows, key=lambda row: row[:2]):
            before = as_json(dict(zip(outer, about, strict=True)))[:-1] + ', "messages": [\n'
            last = None
            for message in messages:
                if last is not None:
                    yield before + last
                    before = ""
                last = as_json(dict(zip(inner, message[2:], strict=True)))
            yield f"{before}{last}\n]}}"


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=as_time)


def as_time(at: datetime) -> str:
    """As Python's isoformat() writes it, in UTC with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _along(model: type[Model], path: str) -> Iterator[str]:
    """The labels of the fields that a path leads over."""
    for name in path.split("__"):
        found = model._meta.get_field(name)
        yield _label(found)
        if found.related_model is not None:
            model = found.related_model


def _label(found: Any) -> str:
    own: Field[Any, Any] = found.field if isinstance(found, ForeignObjectRel) else found
    return f"{own.model._meta.label}.{own.name}"


PARTS: tuple[Part, ...] = (
    Profile(
        "profile",
        _("Your profile"),
        _(
            "Name, address, words about yourself and settings, and when you joined and were last here."
        ),
        User,
        "id",
        {
            "username": "username",
            "email": "email",
            "about_me": "about_me",
            "language": "language",
            "time_zone": "time_zone",
            "has_follow_mail": "has_follow_mail",
            "has_mention_mail": "has_mention_mail",
            "has_message_mail": "has_message_mail",
            "joined_at": "date_joined",
            "last_sign_in_at": "last_login",
            "last_seen_at": "last_seen_at",
        },
        order=("id",),
    ),
    Part(
        "posts",
        _("Your posts"),
        _("All that you wrote, oldest first, with times; also what staff have hidden, and why."),
        Post,
        "author",
        {
            "id": "id",
            "body": "body",
            "timestamp": "created_at",
            "edited_at": "edited_at",
            "hidden_at": "hidden_at",
            "hidden_reason": "hidden_reason",
        },
    ),
    Part(
        "following",
        _("Whom you follow"),
        _("Their names, and since when."),
        Follow,
        "follower",
        {"name": "followed__username", "since": "created_at"},
    ),
    Part(
        "followers",
        _("Who follows you"),
        _("Their names, and since when."),
        Follow,
        "followed",
        {"name": "follower__username", "since": "created_at"},
    ),
    Conversations(
        "messages",
        _("Your messages"),
        _(
            "Conversation by conversation: with whom, what each of you wrote, when, and when it was read."
        ),
        Participant,
        "person",
        {
            "with": "other__username",
            "since": "conversation__created_at",
            "from": "conversation__messages__sender__username",
            "body": "conversation__messages__body",
            "timestamp": "conversation__messages__created_at",
            "read_at": "conversation__messages__read_at",
        },
        # As their indexes have them: nothing has to be sorted, however many there are.
        order=("other_id", "conversation__messages__created_at", "conversation__messages__id"),
        where=Q(conversation__messages__isnull=False),
    ),
    Part(
        "notifications",
        _("Your notifications"),
        _("What we told you, who and which post it was about, when, and when you read it."),
        Notification,
        "user",
        {
            "about": "name",
            "facts": "payload",
            "person": "actor__username",
            "post": "post_id",
            "timestamp": "updated_at",
            "read_at": "read_at",
        },
        order=("updated_at", "id"),
        where=Q(is_listed=True),
    ),
    Part(
        "reports",
        _("Your reports"),
        _("Whom or what you reported, why, in which words, when, and when staff had looked at it."),
        Report,
        "reporter",
        {
            "person": "person__username",
            "post": "post_id",
            "excerpt": "excerpt",
            "reason": "reason",
            "comment": "comment",
            "timestamp": "created_at",
            "handled_at": "handled_at",
        },
    ),
    Part(
        "blocks",
        _("Whom you have blocked"),
        _("Their names, and since when."),
        Block,
        "blocker",
        {"name": "blocked__username", "since": "created_at"},
    ),
    Part(
        "mutes",
        _("Whom you have muted"),
        _("Their names, and since when."),
        Mute,
        "muter",
        {"name": "muted__username", "since": "created_at"},
    ),
    Part(
        "email_addresses",
        _("Your e-mail addresses"),
        _("Each with whether it is confirmed, and whether it is the one that we write to."),
        EmailAddress,
        "user",
        {"email": "email", "is_confirmed": "verified", "is_primary": "primary"},
        order=("id",),
    ),
    Part(
        "sessions",
        _("Where you are signed in"),
        _("Browser, IP address, when it began, and when you were last there."),
        UserSession,
        "user",
        {
            "user_agent": "user_agent",
            "ip": "ip",
            "since": "created_at",
            "last_seen_at": "last_seen_at",
        },
    ),
    Part(
        "second_factors",
        _("Your second factor"),
        _("Of which type it is, since when, and when it was last used."),
        Authenticator,
        "user",
        {"type": "type", "since": "created_at", "last_used_at": "last_used_at"},
    ),
    Part(
        "api_tokens",
        _("Your API tokens"),
        _(
            "Their names, whether they may only read, when you made them, and when they were last used."
        ),
        ApiToken,
        "owner",
        {
            "name": "name",
            "is_read_only": "is_read_only",
            "since": "created_at",
            "last_used_at": "last_used_at",
        },
    ),
)
