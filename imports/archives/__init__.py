"""Uploaded archives, opened with every bound checked before anything is unpacked."""

from typing import BinaryIO

from .bare import BareFile
from .base import HEAD_BYTES, Archive, FileView
from .errors import ArchiveError, Problem, archive_errors
from .limits import DEFAULT_LIMITS, Limits
from .tar import GZIP_SIGNATURE, TarArchive, is_tar
from .zip import ZipArchive

__all__ = [
    "DEFAULT_LIMITS",
    "Archive",
    "ArchiveError",
    "Limits",
    "Problem",
    "archive_errors",
    "open_archive",
]

AGE_SIGNATURES = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
ZIP_SIGNATURES = (b"PK\3\4", b"PK\5\6")
SPLIT_ZIP_SIGNATURE = b"PK\7\x08"
OTHER_PACKERS = (b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")


def open_archive(file: BinaryIO, name: str = "", limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Open a seekable file by its contents; raise ArchiveError if it must not be read.

    `name` is what the person called it. The caller closes the file.
    """
    with archive_errors():
        size = file.seek(0, 2)
        if not size:
            raise ArchiveError(Problem.EMPTY)
        if size > limits.max_bytes:
            raise ArchiveError(Problem.TOO_LARGE)
        head = FileView(file).read(HEAD_BYTES)
        check_head(head)
        return archive_type(head)(file, name, limits)


def check_head(head: bytes) -> None:
    """Refuse formats that have to be unpacked by the person first."""
    if head.startswith(AGE_SIGNATURES):
        raise ArchiveError(Problem.AGE)
    if head.startswith(SPLIT_ZIP_SIGNATURE):
        raise ArchiveError(Problem.SPLIT)
    if head.startswith(OTHER_PACKERS):
        raise ArchiveError(Problem.COMPRESSION)


def archive_type(head: bytes) -> type[ZipArchive | TarArchive | BareFile]:
    if head.startswith(ZIP_SIGNATURES):
        return ZipArchive
    if head.startswith(GZIP_SIGNATURE) or is_tar(head):
        return TarArchive
    return BareFile
