"""Base class of zip files, tar files and bare files."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import BinaryIO, Protocol

from .errors import ArchiveError, Problem
from .limits import Limits

CHUNK_BYTES = 1 << 16
HEAD_BYTES = 4096
IGNORED = re.compile(r"__MACOSX/.*|(?:.*/)?(?:\._[^/]*|\.DS_Store|Thumbs\.db)", re.DOTALL)
PACKED_NAME = re.compile(
    r".*\.(?:zip|tar|t?gz|tgz|bz2|xz|zst|7z|rar|age)", re.IGNORECASE | re.DOTALL
)
FORBIDDEN_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\:]")


class Stream(Protocol):
    """Bytes that can be read once, from the beginning."""

    def read(self, size: int, /) -> bytes: ...


class FileView:
    """A part of a file with its own position, so that several can be read in turns."""

    def __init__(self, file: BinaryIO, start: int = 0, size: int | None = None) -> None:
        self._file, self._position = file, start
        self._end = start + size if size is not None else file.seek(0, 2)

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._end - self._position)
        self._file.seek(self._position)
        data = self._file.read(min(size, left) if size >= 0 else left)
        self._position += len(data)
        return data


class Archive(ABC):
    """An upload whose names and sizes are within the limits. Contents are checked when read."""

    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        self.file, self.name, self.limits = file, name, limits
        self.size = file.seek(0, 2)
        self.members: dict[str, int] = {}

    @abstractmethod
    def open(self, member: str) -> Stream:
        """Return the contents of a member; reading raises ArchiveError where it is damaged."""

    @property
    def head(self) -> bytes:
        """The first bytes of a file that is not packed; empty if it is."""
        return b""

    def peek(self, member: str) -> bytes:
        return read_exactly(self.open(member), HEAD_BYTES, or_less=True)

    def find(self, *names: str) -> str | None:
        """Return the first of these members that exists, also inside one outermost folder."""
        candidates = (path for name in names for path in (name, self._folder + name))
        return next((path for path in candidates if path in self.members), None)

    def find_all(self, pattern: str) -> list[str]:
        matches = re.compile(pattern).fullmatch
        return [
            path
            for path in self.members
            if matches(path) or (self._folder and matches(path.removeprefix(self._folder)))
        ]

    @cached_property
    def _folder(self) -> str:
        """The one folder that everything lies in, with a slash, or an empty string."""
        folders = {path.partition("/")[0] if "/" in path else "" for path in self.members}
        return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""

    def _add(self, name: str, size: int) -> str | None:
        """Check a member's name and size and return the name, or None if it can be ignored."""
        path = name.removeprefix("./")
        check_name(path, self.limits)
        if IGNORED.fullmatch(path):
            return None
        if path in self.members:
            raise ArchiveError(Problem.DUPLICATE)
        if PACKED_NAME.fullmatch(path):
            raise ArchiveError(Problem.NESTED)
        self.members[path] = size
        return path


def check_name(path: str, limits: Limits) -> None:
    """Refuse names that could lead outside of a folder, or that no service writes."""
    parts = path.split("/")
    if (
        not path
        or len(path) > limits.max_name_length
        or len(parts) > limits.max_path_depth
        or FORBIDDEN_IN_NAMES.search(path)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ArchiveError(Problem.FILE_NAME)


def read_exactly(stream: Stream, size: int, *, or_less: bool = False) -> bytes:
    """Read `size` bytes; `or_less` accepts an earlier end."""
    data = bytearray()
    while len(data) < size:
        chunk = stream.read(size - len(data))
        if not chunk:
            if or_less:
                break
            raise ArchiveError(Problem.DAMAGED)
        data += chunk
    return bytes(data)


def read_chunks(stream: Stream) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk
