"""Mastodon's CSV files of followed, muted and blocked accounts."""

import csv
import io
import re
from collections.abc import Iterator

from ..archives import Archive, ArchiveError, Problem
from ..archives.bare import ONLY_MEMBER
from ..archives.base import read_chunks
from .base import Reader
from .items import Item, Summary

MAX_CSV_BYTES = 5 * 1000 * 1000
HEADER = "Account address"
ADDRESS = re.compile(r"@?[\w.-]{1,100}@[\w.-]{1,255}")
FIRST_LINE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:Account address|@?[\w.-]{1,100}@[\w.-]+)(?:,|\r?\n|$)"
)
LISTS = {
    "following": "following_accounts.csv",
    "mutes": "muted_accounts.csv",
    "blocks": "blocked_accounts.csv",
}


class MastodonListsReader(Reader):
    """Reads names only; there are no posts in these files."""

    name = "mastodon_lists"
    label = "Mastodon"

    @classmethod
    def detect(cls, archive: Archive) -> bool:
        if archive.find("outbox.json"):
            return False
        return bool(archive.find(*LISTS.values()) or FIRST_LINE.match(archive.head))

    def read_summary(self) -> Summary:
        if self.archive.head:
            names = {self._kind_of_bare_file(): self._read(ONLY_MEMBER)}
        else:
            found = {kind: self.archive.find(member) for kind, member in LISTS.items()}
            names = {kind: self._read(member) for kind, member in found.items() if member}
        return Summary(**names)  # type: ignore[arg-type]  # the keys are field names

    def read_items(self) -> Iterator[Item]:
        yield from ()

    def _kind_of_bare_file(self) -> str:
        """Tell the list by its header, else by the name of the file.

        Lists of blocked accounts never have a header, so one without header and name is taken
        for blocked accounts: that is safer than to follow them.
        """
        header = self.archive.head.partition(b"\n")[0]
        if b"Hide notifications" in header:
            return "mutes"
        for kind, word in {"mutes": "mute", "blocks": "block", "following": "follow"}.items():
            if word in self.archive.name.lower():
                return kind
        return "following" if HEADER.encode() in header else "blocks"

    def _read(self, member: str) -> tuple[str, ...]:
        """Return the addresses without a leading "@", each once."""
        if self.archive.members[member] > MAX_CSV_BYTES:
            raise ArchiveError(Problem.TOO_COMPLEX)
        data = b"".join(read_chunks(self.archive.open(member)))
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        addresses = (row[0].strip() for row in rows if row)
        names = dict.fromkeys(
            address.removeprefix("@") for address in addresses if ADDRESS.fullmatch(address)
        )
        if len(names) > self.limits.max_names:
            raise ArchiveError(Problem.TOO_MANY_ITEMS)
        return tuple(names)
