"""Posts in the order in which they are imported, with flat memory whatever their number."""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from .items import ExcludedItem, ImportablePost, Item, Reason

DIGEST = re.compile(r"[0-9a-f]{64}")
TRAILING_NUMBER = re.compile(r"(|.*[^0-9])([0-9]+)", re.DOTALL)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -1000;
CREATE TABLE post (
    id INTEGER PRIMARY KEY,
    source_id TEXT UNIQUE,
    timestamp INTEGER,
    year INTEGER,
    sort_key TEXT,
    reply_to TEXT,
    body TEXT,
    edited_at INTEGER,
    source_url TEXT
);
"""
INSERT = """
INSERT OR IGNORE INTO post
    (source_id, timestamp, year, sort_key, reply_to, body, edited_at, source_url)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
REPLIES_OF_THE_SAME_MOMENT = """
SELECT reply.id, parent.id FROM post AS reply JOIN post AS parent
    ON reply.reply_to = parent.source_id AND reply.timestamp = parent.timestamp
WHERE reply.reply_to != ''
"""
ORDERED = "SELECT id, timestamp, year FROM post ORDER BY timestamp, sort_key, id"
BY_ID = """
SELECT source_id, body, timestamp, edited_at, source_url, reply_to FROM post WHERE id = ?
"""


class SortedPosts:
    """Posts of an archive: oldest first, of one moment a reply after what it answers, else by id.

    They lie in a private temporary database that SQLite keeps in a file and deletes when closed.
    A second post with the same source id is excluded. Use it as a context manager.
    """

    def __init__(
        self, items: Iterable[Item], on_excluded: Callable[[ExcludedItem], object] | None = None
    ) -> None:
        self.count = 0
        self.years: Counter[int] = Counter()
        self.excluded: Counter[Reason] = Counter()
        self._on_excluded = on_excluded
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(SCHEMA)
        try:
            self._load(items)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[ImportablePost]:
        return self.of_years(None)

    def has(self, source_id: str) -> bool:
        found = self._database.execute("SELECT 1 FROM post WHERE source_id = ?", (source_id,))
        return found.fetchone() is not None

    def close(self) -> None:
        self._database.close()

    def of_years(self, years: Collection[int] | None) -> Iterator[ImportablePost]:
        """Yield the posts of these years, or all, in order; the same order every time."""
        parents = dict(self._database.execute(REPLIES_OF_THE_SAME_MOMENT))
        moments = self._rows(years)
        for row_id in parents_first(moments, parents) if parents else (row for row, _ in moments):
            yield self._post(row_id)

    def _load(self, items: Iterable[Item]) -> None:
        self._database.execute("BEGIN")
        for item in items:
            if isinstance(item, ExcludedItem):
                self._exclude(item)
            elif self._insert(item):
                self.count += 1
                self.years[item.timestamp.year] += 1
            else:
                self._exclude(
                    ExcludedItem(Reason.DUPLICATE, item.source_id, item.source_url, item.timestamp)
                )
        self._database.execute("CREATE INDEX by_time ON post (timestamp, sort_key, year)")
        self._database.execute("COMMIT")

    def _insert(self, post: ImportablePost) -> bool:
        row = (
            post.source_id,
            to_microseconds(post.timestamp),
            post.timestamp.year,
            sort_key(post.source_id),
            post.reply_to,
            post.body,
            to_microseconds(post.edited_at) if post.edited_at else None,
            post.source_url,
        )
        return self._database.execute(INSERT, row).rowcount == 1

    def _exclude(self, item: ExcludedItem) -> None:
        self.excluded[item.reason] += 1
        if self._on_excluded:
            self._on_excluded(item)

    def _rows(self, years: Collection[int] | None) -> Iterator[tuple[int, int]]:
        for row_id, timestamp, year in self._database.execute(ORDERED):
            if years is None or year in years:
                yield row_id, timestamp

    def _post(self, row_id: int) -> ImportablePost:
        row: tuple[Any, ...] = self._database.execute(BY_ID, (row_id,)).fetchone()
        source_id, body, timestamp, edited_at, source_url, reply_to = row
        return ImportablePost(
            source_id=source_id,
            body=body,
            timestamp=from_microseconds(timestamp),
            edited_at=None if edited_at is None else from_microseconds(edited_at),
            source_url=source_url,
            reply_to=reply_to,
        )


def parents_first(moments: Iterable[tuple[int, int]], parents: dict[int, int]) -> Iterator[int]:
    """Yield row ids, each after its parent of the same moment; replies in a circle stay sorted."""
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    answered, done = set(parents.values()), set()
    moment = None
    for row_id, timestamp in moments:
        if timestamp != moment:
            yield from in_circles(waiting)
            moment = timestamp
        parent = parents.get(row_id)
        if parent is not None and parent not in done:
            waiting[parent].append(row_id)
            continue
        ready = [row_id]
        while ready:
            row_id = ready.pop()
            yield row_id
            if row_id in answered:
                done.add(row_id)
                ready += reversed(waiting.pop(row_id, []))
    yield from in_circles(waiting)


def in_circles(waiting: dict[int, list[int]]) -> Iterator[int]:
    """Yield the rows that still wait at the end of a moment, because they reply to each other."""
    yield from (row_id for row_ids in waiting.values() for row_id in row_ids)
    waiting.clear()


def sort_key(source_id: str) -> str:
    """Return a text that sorts numbers by their value, in front of all else.

    A digest says nothing about the order, so posts with one stay in the archive's order.
    """
    if DIGEST.fullmatch(source_id):
        return "2"
    match = TRAILING_NUMBER.fullmatch(source_id)
    if match is None:
        return f"1{source_id}"
    prefix, number = match[1], match[2].lstrip("0")
    return f"{'1' if prefix else '0'}{prefix}{len(number):04}{number}"


def to_microseconds(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
