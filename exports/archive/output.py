"""Outputs of builds: files that count and hash what is written to them, and zip files."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile

FASTEST_LEVEL = 1  # zlib's default takes 2.5 times as long, for files that are a fifth smaller


class Output:
    """File that counts and hashes the bytes written to it.

    It has no `seek`, so `ZipFile` never overwrites what was hashed already.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._start(file)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        """Leave the file open: it belongs to the caller."""

    def finish(self, keep_alive: Callable[[], None]) -> None:
        """Do what is left after the last byte; call `keep_alive` often if it takes long."""

    def _start(self, file: BinaryIO) -> None:
        self.file, self.size, self._digest = file, 0, hashlib.sha256()


def open_zip(out: Output) -> ZipFile:
    return ZipFile(out, "w", compression=ZIP_DEFLATED, compresslevel=FASTEST_LEVEL)


def open_member(zip_file: ZipFile, name: str) -> BinaryIO:
    """Open a new file in a zip file. Equal contents give equal bytes: it has no date."""
    # The size is not known yet, so the header must have room for one above 4 GiB.
    return cast("BinaryIO", zip_file.open(name, "w", force_zip64=True))
