"""Archives of this product: posts.json, posts.zip and account.zip (docs/archive-format.md)."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ..archives import Archive, ArchiveError, Problem
from ..archives.bare import ONLY_MEMBER
from .base import Reader
from .items import ExcludedItem, Item, Reason, Summary, web_url
from .json_stream import read_document, read_items
from .timestamps import parse_iso
from .values import as_dict, as_text

POSTS, MANIFEST = "posts.json", "manifest.json"
HEAD = re.compile(
    rb'\s*\{\s*(?:"version"\s*:\s*(?P<version>\d{1,9})\s*,\s*)?'
    rb'(?:"username"\s*:\s*(?P<username>"(?:[^"\\]|\\.){0,500}")\s*,\s*)?"posts"\s*:\s*\['
)
MAX_VERSION = 1
MAX_SITE_LENGTH = 200
SETTINGS = (
    "language",
    "time_zone",
    "has_follow_mail",
    "has_mention_mail",
    "has_message_mail",
)


class MicroblogReader(Reader):
    name = "microblog"
    label = "Microblog"
    first_timestamp = datetime.min.replace(tzinfo=UTC)

    @classmethod
    def detect(cls, archive: Archive) -> bool:
        return head_of(archive) is not None

    def read_summary(self) -> Summary:
        head = self._checked_head()
        manifest, profile = self._manifest(), self._profile()
        return Summary(
            account=username_of(manifest, head),
            about_me=as_text(profile.get("about_me")),
            settings={
                key: profile[key] for key in SETTINGS if isinstance(profile.get(key), str | bool)
            },
            following=self._names("following"),
            mutes=self._names("mutes"),
            blocks=self._names("blocks"),
            item_count=post_count(manifest),
        )

    def read_items(self) -> Iterator[Item]:
        self._checked_head()
        site = web_url(self._manifest().get("site"))[:MAX_SITE_LENGTH].rstrip("/")
        numbers = RunningNumbers()
        member = self.archive.find(POSTS) or ONLY_MEMBER
        for row in read_items(self.archive, member, "posts.item"):
            yield self._item(row, site, numbers)

    def _item(self, row: Any, site: str, numbers: "RunningNumbers") -> Item:
        if not isinstance(row, dict) or not isinstance(row.get("body"), str):
            return ExcludedItem(Reason.UNREADABLE)
        number, timestamp = row.get("id"), parse_iso(row.get("timestamp"))
        has_id = site and type(number) is int
        source_id = f"{site}#{number}" if has_id else numbers.source_id(row["body"], timestamp)
        url = f"{site}/posts/{number}/" if has_id else ""
        if row.get("hidden_at"):
            return ExcludedItem(Reason.HIDDEN, source_id, url, timestamp)
        return self.post(
            source_id=source_id,
            body=row["body"],
            timestamp=timestamp,
            edited_at=parse_iso(row.get("edited_at")),
            source_url=url,
        )

    def _checked_head(self) -> re.Match[bytes]:
        head = head_of(self.archive)
        if head is None:
            raise ArchiveError(Problem.UNKNOWN)
        if int(head["version"] or 1) > MAX_VERSION:
            raise ArchiveError(Problem.VERSION)
        return head

    def _manifest(self) -> dict[str, Any]:
        member = self.archive.find(MANIFEST)
        return as_dict(read_document(self.archive, member)) if member else {}

    def _profile(self) -> dict[str, Any]:
        member = self.archive.find("profile.json")
        document = read_document(self.archive, member) if member else None
        return as_dict(as_dict(document).get("profile"))

    def _names(self, name: str) -> tuple[str, ...]:
        member = self.archive.find(f"{name}.json")
        rows = read_items(self.archive, member, f"{name}.item") if member else ()
        names = []
        for row in rows:
            names.append(as_text(as_dict(row).get("name"))[:64])
            if len(names) > self.limits.max_names:
                raise ArchiveError(Problem.TOO_MANY_ITEMS)
        return tuple(filter(None, names))


class RunningNumbers:
    """Makes source ids for posts without one.

    Posts are oldest first, so equal posts lie together and only those of one moment are counted.
    """

    def __init__(self) -> None:
        self._timestamp: datetime | None = None
        self._counts: Counter[str] = Counter()

    def source_id(self, body: str, timestamp: datetime | None) -> str:
        if timestamp != self._timestamp:
            self._timestamp = timestamp
            self._counts.clear()
        moment = timestamp.isoformat() if timestamp else ""
        text_digest = digest(moment, body)
        self._counts[text_digest] += 1
        return digest(moment, body, str(self._counts[text_digest]))


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def head_of(archive: Archive) -> re.Match[bytes] | None:
    """Match the beginning of a list of posts, which is alike in all versions of the format."""
    member = archive.find(POSTS)
    return HEAD.match(archive.peek(member) if member else archive.head)


def username_of(manifest: dict[str, Any], head: re.Match[bytes]) -> str:
    name = manifest.get("username") or json.loads(head["username"] or '""')
    # JSON can escape half of a character, which cannot be stored.
    return as_text(name)[:64].encode(errors="replace").decode()


def post_count(manifest: dict[str, Any]) -> int | None:
    files = manifest.get("files")
    for file in map(as_dict, files if isinstance(files, list) else []):
        if file.get("name") == POSTS and type(file.get("count")) is int:
            return int(file["count"])
    return None
