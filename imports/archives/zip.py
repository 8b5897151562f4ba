"""Zip files from people who may be hostile.

The standard library's zipfile reads the whole directory before one can check anything, and
accepts members that overlap, so the structure is read here (PKWARE's APPNOTE, section 4.3).
"""

import stat
import zlib
from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, NamedTuple

from .base import CHUNK_BYTES, Archive, FileView, read_exactly
from .errors import ArchiveError, Problem
from .limits import Limits

END = Struct("<4s4H2LH")
END_64 = Struct("<4sQ2H2L4Q")
LOCATOR_64 = Struct("<4sLQL")
EXTRA, NUMBER = Struct("<2H"), Struct("<Q")
CENTRAL = Struct("<4s6H3L5H2L")
LOCAL = Struct("<4s5H3L2H")
END_SIGNATURE, CENTRAL_SIGNATURE, LOCAL_SIGNATURE = b"PK\5\6", b"PK\1\2", b"PK\3\4"
END_64_SIGNATURE, LOCATOR_64_SIGNATURE = b"PK\6\6", b"PK\6\7"
MAX_COMMENT_LENGTH = 0xFFFF
ZIP64_EXTRA = 1

STORED, DEFLATED = 0, 8
IS_ENCRYPTED = 0x1 | 0x40 | 0x2000
IS_UTF8 = 0x800
# Stands for "see the Zip64 field": some programs write one although the number is small.
IN_ZIP64 = 0xFFFFFFFF
# Name, extra field and comment of one entry take less than this on average.
MAX_ENTRY_BYTES = 600


class Entry(NamedTuple):
    """Directory entry of a member, and the position of its data."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    mode: int
    offset: int
    start: int = 0

    @property
    def name(self) -> str:
        return self.raw_name.decode("utf-8" if self.flags & IS_UTF8 else "cp437")


class ZipArchive(Archive):
    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        super().__init__(file, name, limits)
        self._entries: dict[str, Entry] = {}
        directory_start, directory = self._read_directory()
        entries = [self._locate(entry) for entry in parse_entries(directory)]
        self._check_sizes(entries)
        check_overlaps(entries, directory_start)
        for entry in entries:
            self._add_entry(entry)

    def open(self, member: str) -> "MemberStream":
        entry = self._entries[member]
        return MemberStream(FileView(self.file, entry.start, entry.packed_size), entry)

    def _read_directory(self) -> tuple[int, bytes]:
        """Return where the central directory begins, and its bytes."""
        tail_size = min(self.size, END.size + MAX_COMMENT_LENGTH)
        tail = FileView(self.file, self.size - tail_size, tail_size).read()
        position = tail.rfind(END_SIGNATURE)
        if position < 0 or len(tail) - position < END.size:
            raise ArchiveError(Problem.DAMAGED)
        *fields, comment = END.unpack_from(tail, position)
        end = self.size - tail_size + position
        if record := self._read_zip64_end(end):
            end -= END_64.size + LOCATOR_64.size
            fields[1:] = END_64.unpack_from(record)[4:]
        _, disk, first_disk, here, count, size, start = fields
        if disk or first_disk or here != count:
            raise ArchiveError(Problem.SPLIT)
        if count > self.limits.max_members or size > self.limits.max_members * MAX_ENTRY_BYTES:
            raise ArchiveError(Problem.TOO_MANY_FILES)
        # Bytes before, between or behind these parts could show other programs another archive.
        if start + size != end or position + END.size + comment != len(tail):
            raise ArchiveError(Problem.DAMAGED)
        directory = read_exactly(FileView(self.file, start, size), size)
        if count_entries(directory) != count:
            raise ArchiveError(Problem.DAMAGED)
        return start, directory

    def _read_zip64_end(self, end: int) -> bytes | None:
        """Return the record that holds larger numbers, if there is one before the last record."""
        start = end - LOCATOR_64.size - END_64.size
        data = FileView(self.file, start, end - start).read() if start >= 0 else b""
        has_locator = data[END_64.size :].startswith(LOCATOR_64_SIGNATURE)
        return data if has_locator and data.startswith(END_64_SIGNATURE) else None

    def _locate(self, entry: Entry) -> Entry:
        """Check the header in front of the data, and add where the data begins."""
        view = FileView(self.file, entry.offset)
        header = LOCAL.unpack(read_exactly(view, LOCAL.size))
        signature, _, flags, method = header[:4]
        name_length, extra_length = header[-2:]
        if (
            signature != LOCAL_SIGNATURE
            or method != entry.method
            or (flags ^ entry.flags) & IS_ENCRYPTED
            or read_exactly(view, name_length) != entry.raw_name
        ):
            raise ArchiveError(Problem.DAMAGED)
        return entry._replace(start=entry.offset + LOCAL.size + name_length + extra_length)

    def _check_sizes(self, entries: list[Entry]) -> None:
        total = sum(entry.size for entry in entries)
        if total > self.limits.max_unpacked_bytes:
            raise ArchiveError(Problem.UNPACKED)
        if total > max(self.limits.min_ratio_bytes, self.size * self.limits.max_ratio):
            raise ArchiveError(Problem.RATIO)

    def _add_entry(self, entry: Entry) -> None:
        kind = stat.S_IFMT(entry.mode)
        if entry.flags & IS_ENCRYPTED:
            raise ArchiveError(Problem.ENCRYPTED)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(Problem.LINK)
        if entry.method not in (STORED, DEFLATED):
            raise ArchiveError(Problem.COMPRESSION)
        if entry.name.endswith("/"):
            if entry.size or entry.packed_size > 2:
                raise ArchiveError(Problem.DAMAGED)
        elif path := self._add(entry.name, entry.size):
            self._entries[path] = entry


def entry_positions(directory: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield where each entry begins, with the lengths of its name, extra field and comment."""
    position = 0
    while position < len(directory):
        if directory[position : position + 4] != CENTRAL_SIGNATURE:
            raise ArchiveError(Problem.DAMAGED)
        lengths = CENTRAL.unpack_from(directory, position)[10:13]
        yield position, lengths
        position += CENTRAL.size + sum(lengths)
    if position != len(directory):
        raise ArchiveError(Problem.DAMAGED)


def count_entries(directory: bytes) -> int:
    return sum(1 for _ in entry_positions(directory))


def parse_entries(directory: bytes) -> Iterator[Entry]:
    for position, (name_length, extra_length, _comment) in entry_positions(directory):
        fields = CENTRAL.unpack_from(directory, position)
        flags, method, crc, attributes = fields[3], fields[4], fields[7], fields[15]
        if fields[13]:
            raise ArchiveError(Problem.SPLIT)
        extra_start = position + CENTRAL.size + name_length
        name = directory[extra_start - name_length : extra_start]
        larger = zip64_numbers(directory[extra_start : extra_start + extra_length])
        size, packed_size, offset = (
            next(larger, IN_ZIP64) if number == IN_ZIP64 else number
            for number in (fields[9], fields[8], fields[16])
        )
        yield Entry(name, flags, method, crc, packed_size, size, attributes >> 16, offset)


def zip64_numbers(extra: bytes) -> Iterator[int]:
    """Yield the numbers of the Zip64 field: size, packed size and offset, those that are needed."""
    while len(extra) >= 4:
        kind, length = EXTRA.unpack_from(extra)
        if kind == ZIP64_EXTRA:
            data = extra[4 : 4 + length]
            yield from (number for (number,) in NUMBER.iter_unpack(data[: len(data) & ~7]))
        extra = extra[4 + length :]


def check_overlaps(entries: list[Entry], directory_start: int) -> None:
    """Refuse members that share bytes: they unpack to far more than the upload's size."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < end:
            raise ArchiveError(Problem.DAMAGED)
        end = entry.start + entry.packed_size
    if end > directory_start:
        raise ArchiveError(Problem.DAMAGED)


class MemberStream:
    """The contents of one member, checked against the size and CRC of the directory."""

    def __init__(self, packed: FileView, entry: Entry) -> None:
        self._packed, self._entry = packed, entry
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None
        self._size = self._crc = 0
        self._is_checked = False

    def read(self, size: int, /) -> bytes:
        data = self._read(size)
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._size > self._entry.size:
            raise ArchiveError(Problem.DAMAGED)
        if size and not data and not self._is_checked:
            self._check_end()
        return data

    def _read(self, size: int) -> bytes:
        if self._inflate is None:
            return self._packed.read(size)
        while size and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._packed.read(CHUNK_BYTES)
            data = self._inflate.decompress(packed, size)
            if data:
                return data
            if not packed:
                raise ArchiveError(Problem.DAMAGED)
        return b""

    def _check_end(self) -> None:
        self._is_checked = True
        left = self._packed.read(1) or (self._inflate and self._inflate.unused_data)
        if left or (self._size, self._crc) != (self._entry.size, self._entry.crc):
            raise ArchiveError(Problem.DAMAGED)
