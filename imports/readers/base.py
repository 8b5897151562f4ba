"""The interface of all readers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar

from django_stubs_ext import StrOrPromise

from ..archives import Archive, ArchiveError, Problem, archive_errors
from .items import (
    FIRST_TIMESTAMP,
    MAX_BODY_LENGTH,
    MAX_SOURCE_ID_LENGTH,
    ExcludedItem,
    ImportablePost,
    Item,
    Reason,
    Summary,
)


class Reader(ABC):
    """Reads the archives of one source.

    A subclass in a module of this package is registered by being there. It says what it detects
    and fills in `read_summary` and `read_items`; these may raise whatever parsing raises.
    """

    name: ClassVar[str]
    """Value of `Post.source`."""
    label: ClassVar[StrOrPromise]
    first_timestamp: ClassVar[datetime] = FIRST_TIMESTAMP

    def __init__(self, archive: Archive, now: datetime | None = None) -> None:
        self.archive, self.limits = archive, archive.limits
        self.now = now or datetime.now(UTC)

    @classmethod
    @abstractmethod
    def detect(cls, archive: Archive) -> bool:
        """Tell from names and first bytes whether this reader can read the archive."""

    @abstractmethod
    def read_summary(self) -> Summary: ...

    @abstractmethod
    def read_items(self) -> Iterator[Item]: ...

    @cached_property
    def summary(self) -> Summary:
        """Account and names; raises ArchiveError."""
        with archive_errors():
            return self.read_summary().without_nul()

    def posts(self) -> Iterator[Item]:
        """Yield posts and excluded items in the archive's order; raises ArchiveError.

        An archive may turn out to be damaged at its very end, so nothing may be written to
        posts before this was read once as a whole.
        """
        with archive_errors():
            for number, item in enumerate(self.read_items()):
                if number >= self.limits.max_items:
                    raise ArchiveError(Problem.TOO_MANY_ITEMS)
                yield item

    def post(
        self,
        *,
        source_id: object,
        body: str,
        timestamp: datetime | None,
        edited_at: datetime | None = None,
        source_url: str = "",
        reply_to: object = "",
    ) -> Item:
        """Return an importable post, or exclude it by the rules that hold for every source."""
        if not isinstance(source_id, str) or not 0 < len(source_id) <= MAX_SOURCE_ID_LENGTH:
            return ExcludedItem(Reason.UNREADABLE, "", source_url, timestamp)
        source_id, body = source_id.replace("\0", ""), body.replace("\0", "")
        if reason := self._violation(body, timestamp):
            return ExcludedItem(reason, source_id, source_url, timestamp)
        assert timestamp is not None  # noqa: S101  # for mypy: DATE is a violation
        is_edited = edited_at is not None and timestamp < edited_at <= self.now
        return ImportablePost(
            source_id=source_id,
            body=body,
            timestamp=timestamp,
            edited_at=edited_at if is_edited else None,
            source_url=source_url,
            reply_to=reply_to[:MAX_SOURCE_ID_LENGTH] if isinstance(reply_to, str) else "",
        )

    def _violation(self, body: str, timestamp: datetime | None) -> Reason | None:
        if timestamp is None or not self.first_timestamp <= timestamp <= self.now:
            return Reason.DATE
        if not body:
            return Reason.EMPTY
        if len(body) > MAX_BODY_LENGTH:
            return Reason.TOO_LONG
        return None
