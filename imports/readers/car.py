"""CAR files, version 1: blocks of DAG-CBOR, each with its hash in front.

The blocks are indexed and decoded one at a time. The index takes about 200 bytes of memory a
block, so the upload limit bounds it.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import libipld

from ..archives import Archive, ArchiveError, Problem
from ..archives.base import FileView, read_exactly
from .items import Reason

# CID version 1 with a SHA-256 of 32 bytes; the second byte is the codec, here DAG-CBOR.
CID_PREFIX = b"\x01\x71\x12\x20"
CID_BYTES = len(CID_PREFIX) + 32
MAX_VARINT_BYTES = 4
MAX_BLOCK_BYTES = 1 << 20
ROOTS_KEY = b"\x65roots"
READ = 0
"""Stands in the index for a block that was read already."""


def is_car(head: bytes) -> bool:
    """Tell by the header, a small CBOR map behind its length."""
    return ROOTS_KEY in head[:200] and head[1:3] in (b"\xa1\x65", b"\xa2\x65", b"\xa2\x67")


class CarFile:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        header_size, start = self._read_size(0)
        header = libipld.decode_dag_cbor(self._read(start, header_size))
        if header["version"] != 1 or not isinstance(header["roots"][0], bytes):
            raise ArchiveError(Problem.DAMAGED)
        self.root: bytes = header["roots"][0]
        self._locations = dict(self._index(start + header_size))

    def take(self, cid: Any) -> Any:
        """Decode a block after checking its hash.

        Each block can be taken once, which bounds the work whatever the file refers to. Return
        Reason.DUPLICATE after that, and Reason.MISSING for a block that is not in the file.
        """
        location = self._locations.get(cid) if isinstance(cid, bytes) else None
        if location is None:
            return Reason.MISSING
        if location == READ:
            return Reason.DUPLICATE
        self._locations[cid] = READ
        data = self._read(location >> 24, location & 0xFFFFFF)
        digest = cid[len(CID_PREFIX) :]
        if not cid.startswith(CID_PREFIX) or hashlib.sha256(data).digest() != digest:
            raise ArchiveError(Problem.DAMAGED)
        return libipld.decode_dag_cbor(data)

    def _index(self, position: int) -> Iterator[tuple[bytes, int]]:
        """Yield each block's CID and location: where its data begins and, in 24 bits, its size."""
        count = 0
        while position < self._archive.size:
            count += 1
            if count > self._archive.limits.max_blocks:
                raise ArchiveError(Problem.TOO_MANY_ITEMS)
            size, start = self._read_size(position)
            cid = self._read(start, CID_BYTES)
            if size < CID_BYTES or cid[0] != CID_PREFIX[0] or cid[2:4] != CID_PREFIX[2:]:
                raise ArchiveError(Problem.DAMAGED)
            position = start + size
            if position > self._archive.size:
                raise ArchiveError(Problem.DAMAGED)
            yield cid, (start + CID_BYTES) << 24 | (size - CID_BYTES)

    def _read_size(self, position: int) -> tuple[int, int]:
        """Read a varint, and return it with the position behind it."""
        size = 0
        for index, byte in enumerate(FileView(self._archive.file, position).read(MAX_VARINT_BYTES)):
            size |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if size > MAX_BLOCK_BYTES:
                    raise ArchiveError(Problem.TOO_COMPLEX)
                return size, position + index + 1
        raise ArchiveError(Problem.DAMAGED)

    def _read(self, start: int, size: int) -> bytes:
        return read_exactly(FileView(self._archive.file, start, size), size)
