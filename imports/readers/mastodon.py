"""Archives of Mastodon, Akkoma, Pleroma and GoToSocial: an outbox in ActivityPub's form."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from ..archives import Archive
from ..archives.bare import ONLY_MEMBER
from .base import Reader
from .html_text import UnreadableHtml, host_of, html_to_text
from .items import (
    MAX_SOURCE_ID_LENGTH,
    ExcludedItem,
    Item,
    Reason,
    Summary,
    attachment_line,
    web_url,
    with_content_warning,
    with_lines,
)
from .json_stream import read_document, read_items
from .timestamps import parse_iso
from .values import as_text

PUBLIC = {"https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"}
# A list of likes or bookmarks is such a collection as well, but of strings.
OUTBOX_HEAD = re.compile(rb'"orderedItems"\s*:\s*(?:\[\s*[{\]]|\])')
# Old versions of Pleroma write no "[" for an empty list.
EMPTY_OUTBOX = re.compile(rb'"orderedItems"\s*:\s*\]')
POST_TYPES = ("Note", "Question")
ATTACHMENT_KINDS = ("image", "video", "audio")


class MastodonReader(Reader):
    name = "mastodon"
    label = "Mastodon"

    @classmethod
    def detect(cls, archive: Archive) -> bool:
        if archive.find("outbox.json"):
            return True
        return bool(OUTBOX_HEAD.search(archive.head))

    def read_summary(self) -> Summary:
        actor = self._actor
        name, host = actor.get("preferredUsername"), host_of(as_text(actor.get("id")))
        return Summary(
            account=f"{name}@{host}" if isinstance(name, str) and host else "",
            display_name=as_text(actor.get("name"))[:200],
            about_me=profile_text(as_text(actor.get("summary"))),
        )

    def read_items(self) -> Iterator[Item]:
        outbox = self.archive.find("outbox.json") or ONLY_MEMBER
        if EMPTY_OUTBOX.search(self.archive.peek(outbox)):
            return
        for activity in read_items(self.archive, outbox, "orderedItems.item"):
            yield self._item(activity)

    @cached_property
    def _actor(self) -> dict[str, Any]:
        member = self.archive.find("actor.json")
        actor = read_document(self.archive, member) if member else None
        return actor if isinstance(actor, dict) else {}

    def _item(self, activity: Any) -> Item:
        if not isinstance(activity, dict):
            return ExcludedItem(Reason.UNREADABLE)
        note = activity.get("object")
        if reason := self._reason_to_exclude(activity, note):
            return excluded(reason, activity)
        assert isinstance(note, dict)  # noqa: S101  # otherwise it is NOT_A_POST
        if reason := reason_by_visibility(note if "to" in note or "cc" in note else activity):
            return excluded(reason, activity)
        try:
            body = body_of(note)
        except UnreadableHtml:
            return excluded(Reason.UNREADABLE, activity)
        return self.post(
            source_id=note.get("id"),
            body=body,
            timestamp=parse_iso(note.get("published")),
            edited_at=parse_iso(note.get("updated")),
            source_url=web_url(note.get("url")) or web_url(note.get("id")),
            reply_to=note.get("inReplyTo"),
        )

    def _reason_to_exclude(self, activity: dict[str, Any], note: object) -> Reason | None:
        if activity.get("type") == "Announce":
            return Reason.BOOST
        actor = id_of(activity.get("actor"))
        if self._actor.get("id", actor) != actor:
            return Reason.FOREIGN
        if activity.get("type") != "Create" or not isinstance(note, dict):
            return Reason.NOT_A_POST
        if id_of(note.get("attributedTo")) not in (actor, ""):
            return Reason.FOREIGN
        return None if note.get("type") in POST_TYPES else Reason.NOT_A_POST


def reason_by_visibility(audience: dict[str, Any]) -> Reason | None:
    to = set(texts_in(audience.get("to"))) | set(texts_in(audience.get("cc")))
    if to & PUBLIC:
        return None
    has_followers = any(uri.endswith("/followers") for uri in to)
    return Reason.FOLLOWERS_ONLY if has_followers else Reason.DIRECT


def excluded(reason: Reason, activity: dict[str, Any]) -> ExcludedItem:
    note = activity.get("object")
    source = note if isinstance(note, dict) and reason != Reason.BOOST else activity
    return ExcludedItem(
        reason,
        source_id=as_text(source.get("id"))[:MAX_SOURCE_ID_LENGTH],
        source_url=web_url(source.get("url")) or web_url(source.get("id")),
        timestamp=parse_iso(source.get("published") or activity.get("published")),
    )


def body_of(note: dict[str, Any]) -> str:
    options = [*dicts_in(note.get("oneOf")), *dicts_in(note.get("anyOf"))]
    body = with_lines(
        text_of(note),
        [f"- {as_text(option.get('name'))}" for option in options],
        [line_of(attachment) for attachment in dicts_in(note.get("attachment"))],
    )
    return with_content_warning(as_text(note.get("summary")).strip(), body)


def text_of(note: dict[str, Any]) -> str:
    """Return the original text where there is one (Akkoma, Pleroma), else that of the HTML."""
    source = note.get("source")
    if isinstance(source, dict) and source.get("mediaType") == "text/plain":
        content = source.get("content")
        if isinstance(content, str):
            return content.strip()
    content = note.get("content")
    if not isinstance(content, str):
        translations = note.get("contentMap")
        content = next(iter(translations.values()), "") if isinstance(translations, dict) else ""
    return html_to_text(as_text(content), mentions_of(note))


def mentions_of(note: dict[str, Any]) -> dict[tuple[str, str], str]:
    mentions = {}
    for tag in dicts_in(note.get("tag")):
        if tag.get("type") != "Mention":
            continue
        host = host_of(as_text(tag.get("href")))
        name, _, domain = as_text(tag.get("name")).removeprefix("@").partition("@")
        full_name = f"@{name}@{domain or host}"
        for known_host in {host, domain.lower()} - {""}:
            mentions[name.lower(), known_host] = full_name
    return mentions


def line_of(attachment: dict[str, Any]) -> str:
    links = dicts_in(attachment.get("url"))
    media_type = as_text(attachment.get("mediaType")) or as_text(
        links[0].get("mediaType") if links else ""
    )
    kind = media_type.partition("/")[0] or as_text(attachment.get("type")).lower()
    return attachment_line(kind if kind in ATTACHMENT_KINDS else "file", attachment.get("name"))


def profile_text(html: str) -> str:
    try:
        return html_to_text(html)
    except UnreadableHtml:
        return ""


def id_of(value: object) -> str:
    """Return the id of an object that may stand for itself or be inlined."""
    return as_text(value.get("id")) if isinstance(value, dict) else as_text(value)


def one_or_more(value: object) -> list[Any]:
    """ActivityPub writes a list of one thing as the thing itself."""
    return value if isinstance(value, list) else [value]


def texts_in(value: object) -> Iterable[str]:
    return [text for text in one_or_more(value) if isinstance(text, str)]


def dicts_in(value: object) -> list[dict[str, Any]]:
    return [entry for entry in one_or_more(value) if isinstance(entry, dict)]
