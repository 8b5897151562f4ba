"""Sections of an account archive: the rows and fields that each of its files is read from.

The archive, its README, the page before a request and the coverage check all use these
declarations.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Field, ForeignObjectRel, Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.formatting import isoformat_utc
from blog.models import ApiToken, Block, Follow, Mute, Notification, Participant, Post, Report, User

from .json_document import FORMAT_VERSION, iter_json_document


@dataclass(frozen=True, kw_only=True)
class Section:
    """JSON file of an account archive: the rows of `model` whose `owner_field` is the owner.

    `field_paths` maps each JSON key to a field lookup, such as `followed__username`.
    """

    name: str
    title: StrOrPromise
    description: StrOrPromise
    model: type[Model]
    owner_field: str
    field_paths: Mapping[str, str]
    ordering: tuple[str, ...] = ("created_at", "id")
    condition: Q = field(default_factory=Q)

    @property
    def file_name(self) -> str:
        return f"{self.name}.json"

    def queryset_for(self, owner: User) -> QuerySet[Any]:
        rows = self.model._default_manager.filter(self.condition, **{self.owner_field: owner.pk})
        return rows.order_by(*self.ordering)

    def iter_chunks(self, owner: User, chunk_rows: int) -> Iterator[tuple[int, bytes]]:
        """Yield the file as (number of rows, bytes), read by a single SELECT."""
        rows = self._iter_json_rows(self._iter_values(owner, chunk_rows))
        return iter_json_document(owner.username, self.name, rows, chunk_rows)

    def _iter_values(self, owner: User, chunk_rows: int) -> Generator[tuple[Any, ...]]:
        values = self.queryset_for(owner).values_list(*self.field_paths.values())
        return cast("Generator[tuple[Any, ...]]", values.iterator(chunk_size=chunk_rows))

    def _iter_json_rows(self, rows: Iterator[tuple[Any, ...]]) -> Generator[str]:
        yield from (to_json(dict(zip(self.field_paths, row, strict=True))) for row in rows)

    def field_labels(self) -> set[str]:
        """Return the labels of all fields that are read, such as `blog.Follow.followed`."""
        return {
            label
            for path in (self.owner_field, *self.field_paths.values())
            for label in _path_labels(self.model, path)
        }

    def owner_field_label(self) -> str:
        return _field_label(self.model._meta.get_field(self.owner_field))


class ProfileSection(Section):
    """Section with exactly one row, written as an object instead of a list."""

    def iter_chunks(self, owner: User, chunk_rows: int) -> Iterator[tuple[int, bytes]]:
        [row] = self._iter_json_rows(self._iter_values(owner, chunk_rows))
        head = f'{{"version": {FORMAT_VERSION}, "username": {to_json(owner.username)}'
        yield 1, f'{head}, "{self.name}": {row}, "count": 1}}\n'.encode()


class MessagesSection(Section):
    """Section whose rows are messages, grouped by conversation.

    The first two of `field_paths` belong to the conversation, the others to the message.
    """

    def _iter_json_rows(self, rows: Iterator[tuple[Any, ...]]) -> Generator[str]:
        conversation_keys, message_keys = list(self.field_paths)[:2], list(self.field_paths)[2:]
        for conversation, messages in groupby(rows, key=lambda row: row[:2]):
            head = to_json(dict(zip(conversation_keys, conversation, strict=True)))[:-1]
            prefix = head + ', "messages": [\n'
            last = None
            for message in messages:
                if last is not None:
                    yield prefix + last
                    prefix = ""
                last = to_json(dict(zip(message_keys, message[2:], strict=True)))
            yield f"{prefix}{last}\n]}}"


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=isoformat_utc)


def _path_labels(model: type[Model], path: str) -> Iterator[str]:
    """Yield the labels of all fields along a lookup path."""
    for name in path.split("__"):
        found = model._meta.get_field(name)
        yield _field_label(found)
        if found.related_model is not None:
            model = found.related_model


def _field_label(found: Any) -> str:
    local: Field[Any, Any] = found.field if isinstance(found, ForeignObjectRel) else found
    return f"{local.model._meta.label}.{local.name}"


SECTIONS: tuple[Section, ...] = (
    ProfileSection(
        name="profile",
        title=_("Your profile"),
        description=_(
            "Name, address, words about yourself and settings, and when you joined and were last "
            "here."
        ),
        model=User,
        owner_field="id",
        field_paths={
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
        ordering=("id",),
    ),
    Section(
        name="posts",
        title=_("Your posts"),
        description=_(
            "All that you wrote, oldest first, with times; also what staff have hidden, and why."
        ),
        model=Post,
        owner_field="author",
        field_paths={
            "id": "id",
            "body": "body",
            "timestamp": "created_at",
            "edited_at": "edited_at",
            "hidden_at": "hidden_at",
            "hidden_reason": "hidden_reason",
            "source": "source",
            "source_id": "source_id",
            "source_url": "source_url",
        },
    ),
    Section(
        name="following",
        title=_("Whom you follow"),
        description=_("Their names, and since when."),
        model=Follow,
        owner_field="follower",
        field_paths={"name": "followed__username", "since": "created_at"},
    ),
    Section(
        name="followers",
        title=_("Who follows you"),
        description=_("Their names, and since when."),
        model=Follow,
        owner_field="followed",
        field_paths={"name": "follower__username", "since": "created_at"},
    ),
    MessagesSection(
        name="messages",
        title=_("Your messages"),
        description=_(
            "Conversation by conversation: with whom, what each of you wrote, when, and when it "
            "was read."
        ),
        model=Participant,
        owner_field="person",
        field_paths={
            "with": "other__username",
            "since": "conversation__created_at",
            "from": "conversation__messages__sender__username",
            "body": "conversation__messages__body",
            "timestamp": "conversation__messages__created_at",
            "read_at": "conversation__messages__read_at",
        },
        # In index order, so the database does not sort.
        ordering=("other_id", "conversation__messages__created_at", "conversation__messages__id"),
        condition=Q(conversation__messages__isnull=False),
    ),
    Section(
        name="notifications",
        title=_("Your notifications"),
        description=_(
            "What we told you, who and which post it was about, when, and when you read it."
        ),
        model=Notification,
        owner_field="user",
        field_paths={
            "about": "name",
            "facts": "payload",
            "person": "actor__username",
            "post": "post_id",
            "timestamp": "updated_at",
            "read_at": "read_at",
        },
        ordering=("updated_at", "id"),
        condition=Q(is_listed=True),
    ),
    Section(
        name="reports",
        title=_("Your reports"),
        description=_(
            "Whom or what you reported, why, in which words, when, and when staff had looked at it."
        ),
        model=Report,
        owner_field="reporter",
        field_paths={
            "person": "person__username",
            "post": "post_id",
            "excerpt": "excerpt",
            "reason": "reason",
            "comment": "comment",
            "timestamp": "created_at",
            "handled_at": "handled_at",
        },
    ),
    Section(
        name="blocks",
        title=_("Whom you have blocked"),
        description=_("Their names, and since when."),
        model=Block,
        owner_field="blocker",
        field_paths={"name": "blocked__username", "since": "created_at"},
    ),
    Section(
        name="mutes",
        title=_("Whom you have muted"),
        description=_("Their names, and since when."),
        model=Mute,
        owner_field="muter",
        field_paths={"name": "muted__username", "since": "created_at"},
    ),
    Section(
        name="email_addresses",
        title=_("Your e-mail addresses"),
        description=_(
            "Each with whether it is confirmed, and whether it is the one that we write to."
        ),
        model=EmailAddress,
        owner_field="user",
        field_paths={"email": "email", "is_confirmed": "verified", "is_primary": "primary"},
        ordering=("id",),
    ),
    Section(
        name="sessions",
        title=_("Where you are signed in"),
        description=_("Browser, IP address, when it began, and when you were last there."),
        model=UserSession,
        owner_field="user",
        field_paths={
            "user_agent": "user_agent",
            "ip": "ip",
            "since": "created_at",
            "last_seen_at": "last_seen_at",
        },
    ),
    Section(
        name="second_factors",
        title=_("Your second factor"),
        description=_("Of which type it is, since when, and when it was last used."),
        model=Authenticator,
        owner_field="user",
        field_paths={"type": "type", "since": "created_at", "last_used_at": "last_used_at"},
    ),
    Section(
        name="api_tokens",
        title=_("Your API tokens"),
        description=_(
            "Their names, whether they may only read, when you made them, and when they were last "
            "used."
        ),
        model=ApiToken,
        owner_field="owner",
        field_paths={
            "name": "name",
            "is_read_only": "is_read_only",
            "since": "created_at",
            "last_used_at": "last_used_at",
        },
    ),
)
