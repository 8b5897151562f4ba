"""A file that is not packed."""

from typing import BinaryIO

from .base import HEAD_BYTES, Archive, FileView
from .limits import Limits

ONLY_MEMBER = ""


class BareFile(Archive):
    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        super().__init__(file, name, limits)
        self.members = {ONLY_MEMBER: self.size}

    def open(self, member: str) -> FileView:
        return FileView(self.file)

    @property
    def head(self) -> bytes:
        return FileView(self.file).read(HEAD_BYTES)

    def find(self, *names: str) -> str | None:
        """Return None: a bare file is recognized by its contents, never by a name."""
        return None

    def find_all(self, pattern: str) -> list[str]:
        return []
