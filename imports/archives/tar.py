"""Tar files, compressed with gzip or not, from people who may be hostile.

The standard library's tarfile reads long names and pax headers into memory whole, however long
they say they are, so the headers are read here; TarInfo parses the fields of each.
"""

import gzip
import re
from tarfile import (
    AREGTYPE,
    BLOCKSIZE,
    DIRTYPE,
    GNUTYPE_LONGNAME,
    REGTYPE,
    XGLTYPE,
    XHDTYPE,
    TarInfo,
)
from typing import BinaryIO, cast

from .base import CHUNK_BYTES, Archive, FileView, Stream, read_exactly
from .errors import ArchiveError, Problem
from .limits import Limits

GZIP_SIGNATURE = b"\x1f\x8b"
MAX_HEADER_BYTES = 1 << 16
PAX_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]{1,200})=")


class BoundedStream:
    def __init__(self, stream: Stream, packed_size: int, limits: Limits) -> None:
        self._stream = stream
        self._max_bytes = limits.max_unpacked_bytes
        self._max_ratio_bytes = max(limits.min_ratio_bytes, packed_size * limits.max_ratio)
        self.position = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, CHUNK_BYTES))
        self.position += len(data)
        if self.position > self._max_bytes:
            raise ArchiveError(Problem.UNPACKED)
        if self.position > self._max_ratio_bytes:
            raise ArchiveError(Problem.RATIO)
        return data

    def skip(self, size: int) -> None:
        while size:
            size -= len(read_exactly(self, min(size, CHUNK_BYTES)))

    def drain(self) -> None:
        """Read to the end, where gzip checks its CRC."""
        while self.read(CHUNK_BYTES):
            pass


class MemberStream:
    def __init__(self, stream: Stream, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise ArchiveError(Problem.DAMAGED)
        self._left -= len(data)
        return data


class TarArchive(Archive):
    """A tar file. It has no directory, so it is read once to the end when it is opened.

    A member is read by unpacking again from the beginning: seconds at worst, and no disk space.
    """

    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        super().__init__(file, name, limits)
        self._starts: dict[str, int] = {}
        self._long_name: str | None = None
        self._count = 0
        self._scan(self._open_all())

    def open(self, member: str) -> MemberStream:
        stream = self._open_all()
        stream.skip(self._starts[member])
        return MemberStream(stream, self.members[member])

    def _open_all(self) -> BoundedStream:
        view = FileView(self.file)
        is_packed = FileView(self.file).read(2) == GZIP_SIGNATURE
        # GzipFile never seeks while it only reads forward.
        stream = gzip.GzipFile(fileobj=cast("BinaryIO", view), mode="rb") if is_packed else view
        return BoundedStream(stream, self.size, self.limits)

    def _scan(self, stream: BoundedStream) -> None:
        while any(block := read_exactly(stream, BLOCKSIZE)):
            self._count += 1
            if self._count > self.limits.max_members:
                raise ArchiveError(Problem.TOO_MANY_FILES)
            if self._count == 1 and not is_tar(block):
                raise ArchiveError(Problem.UNKNOWN)
            header = TarInfo.frombuf(block, "utf-8", "strict")
            if header.size < 0:
                raise ArchiveError(Problem.DAMAGED)
            self._read_member(header, stream)
        stream.drain()

    def _read_member(self, header: TarInfo, stream: BoundedStream) -> None:
        padding = -header.size % BLOCKSIZE
        if header.type in (GNUTYPE_LONGNAME, XHDTYPE, XGLTYPE):
            self._read_extension(header, stream)
        else:
            self._add_member(header, stream.position)
            stream.skip(header.size)
        stream.skip(padding)

    def _read_extension(self, header: TarInfo, stream: BoundedStream) -> None:
        """Read what GNU tar or pax say about the next member: only its name is of interest."""
        if header.size > MAX_HEADER_BYTES:
            raise ArchiveError(Problem.FILE_NAME)
        data = read_exactly(stream, header.size)
        if header.type == GNUTYPE_LONGNAME:
            self._long_name = data.rstrip(b"\0").decode()
            return
        fields = parse_pax(data)
        # Sizes and sparse maps would make other programs see other contents than we do.
        if any(key == b"size" or key.startswith(b"GNU.sparse") for key in fields):
            raise ArchiveError(Problem.DAMAGED)
        if header.type == XHDTYPE and b"path" in fields:
            self._long_name = fields[b"path"].decode()
        elif b"path" in fields:
            raise ArchiveError(Problem.FILE_NAME)

    def _add_member(self, header: TarInfo, start: int) -> None:
        name, self._long_name = self._long_name or header.name, None
        if header.type not in (REGTYPE, AREGTYPE, DIRTYPE):
            raise ArchiveError(Problem.LINK)
        if header.type == DIRTYPE or name.endswith("/"):
            if header.size:
                raise ArchiveError(Problem.DAMAGED)
        elif path := self._add(name, header.size):
            self._starts[path] = start


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """Return the fields of a pax header: lines of "length key=value", the length that of all."""
    fields: dict[bytes, bytes] = {}
    while data:
        match = PAX_RECORD.match(data)
        length = int(match[1]) if match else 0
        if match is None or not match.end() < length <= len(data) or data[length - 1] != 0x0A:
            raise ArchiveError(Problem.DAMAGED)
        fields[match[2]] = data[match.end() : length - 1]
        data = data[length:]
    return fields


def is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"
