"""JSON read as a stream, bounded before the parser sees it.

ijson keeps a path for each level of nesting and builds each item whole, so depth, strings and
items are measured on the bytes first.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from ijson.backends import yajl2_c  # type: ignore[import-untyped]

from ..archives import Archive, ArchiveError, Limits, Problem
from ..archives.base import read_chunks

BOM = b"\xef\xbb\xbf"
BRACKETS = b"[]{}"
NOT_BRACKETS = bytes(set(range(256)) - set(BRACKETS))
# What may stand behind the JSON in a JavaScript file.
TRAILER = b"; \t\r\n"
MAX_TRAILER_BYTES = 64
MAX_ASSIGNMENT_BYTES = 1000


def read_items(
    archive: Archive, member: str, prefix: str, *, is_javascript: bool = False
) -> Iterator[Any]:
    """Yield the values at ijson's `prefix`, such as "posts.item", one at a time.

    Raises ijson.JSONError for bad JSON, also after values were yielded.
    """
    chunks = without_bom(read_chunks(archive.open(member)))
    if is_javascript:
        chunks = without_assignment(chunks)
    item_depth = prefix.count(".") + 1 if prefix else 0
    stream = ChunkStream(guard(chunks, archive.limits, item_depth))
    yield from yajl2_c.items(stream, prefix, use_float=True)


def read_document(archive: Archive, member: str, *, is_javascript: bool = False) -> Any:
    """Return a small JSON document as a whole."""
    return next(read_items(archive, member, "", is_javascript=is_javascript), None)


class ChunkStream:
    """Chunks as the file object that ijson wants."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int = -1) -> bytes:
        """Return the next chunk; ijson asks for 0 bytes to learn that they are bytes."""
        return next(self._chunks, b"") if size else b""


def without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    chunks = iter(chunks)
    first = next(chunks, b"")
    return (chunk for chunk in chain([first.removeprefix(BOM)], chunks) if chunk)


def without_assignment(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave what is behind the first "=", without a semicolon at the end."""
    held = next(chunks, b"")
    name, _, held = held.partition(b"=")
    if len(name) > MAX_ASSIGNMENT_BYTES:
        raise ArchiveError(Problem.DAMAGED)
    for chunk in chunks:
        held += chunk
        yield held[:-MAX_TRAILER_BYTES]
        held = held[-MAX_TRAILER_BYTES:]
    yield held.rstrip(TRAILER)


def guard(chunks: Iterable[bytes], limits: Limits, item_depth: int) -> Iterator[bytes]:
    scanner = Scanner(limits, item_depth)
    for chunk in chunks:
        if chunk:
            scanner.scan(chunk)
            yield chunk


class Scanner:
    """Measures JSON text without parsing it."""

    def __init__(self, limits: Limits, item_depth: int) -> None:
        self._limits, self._item_depth = limits, item_depth
        self._depth = 0
        self._is_in_string = False
        self._held = b""
        self._string_bytes = 0
        self._item_bytes = 0

    def scan(self, chunk: bytes) -> None:
        size = len(chunk)
        parts = self._without_escapes(chunk).split(b'"')
        self._measure_string(parts)
        outside = b"".join(parts[self._is_in_string :: 2])
        self._is_in_string ^= not len(parts) % 2
        brackets = outside.translate(None, NOT_BRACKETS)
        is_between_items = self._measure_depth(brackets) <= self._item_depth
        # Without a bracket this may be the middle of an endless number or string.
        self._item_bytes = 0 if brackets and is_between_items else self._item_bytes + size
        if self._item_bytes > self._limits.max_item_bytes:
            raise ArchiveError(Problem.TOO_COMPLEX)

    def _without_escapes(self, chunk: bytes) -> bytes:
        """Remove escaped backslashes and quotes, so that every quote left is a string's."""
        chunk, self._held = self._held + chunk, b""
        if b"\\" not in chunk:
            return chunk
        chunk = chunk.replace(b"\\\\", b"").replace(b'\\"', b"")
        if chunk.endswith(b"\\"):
            chunk, self._held = chunk[:-1], b"\\"
        return chunk

    def _measure_string(self, parts: list[bytes]) -> None:
        """Strings inside a chunk are shorter than it; add up those that span several."""
        is_open = len(parts) % 2 == self._is_in_string
        before = self._string_bytes if len(parts) == 1 else 0
        self._string_bytes = before + len(parts[-1]) if is_open else 0
        if self._string_bytes > self._limits.max_string_bytes:
            raise ArchiveError(Problem.TOO_COMPLEX)

    def _measure_depth(self, brackets: bytes) -> int:
        """Follow the nesting, and return how far out it came."""
        depth = lowest = self._depth
        for bracket in brackets:
            if bracket in b"[{":
                depth += 1
                if depth > self._limits.max_json_depth:
                    raise ArchiveError(Problem.TOO_COMPLEX)
            else:
                depth -= 1
                lowest = min(lowest, depth)
        self._depth = depth
        return lowest
