"""Finished archives in the storage, compared with what the build recorded about them."""

import hashlib

from ..models import ExportTask


class ArchiveDamaged(Exception):
    """The file is gone, or is not the one that was built; the text is for staff."""


def check_file(task: ExportTask) -> None:
    """Raise ArchiveDamaged if the file is missing or has another size. Reads no contents."""
    try:
        size = task.archive.storage.size(str(task.archive.name))
    except FileNotFoundError:
        raise ArchiveDamaged("The file is gone.") from None
    if task.archive_bytes is not None and size != task.archive_bytes:
        raise ArchiveDamaged(f"The file has {size} bytes instead of {task.archive_bytes}.")


def read_file(task: ExportTask) -> bytes:
    """Return the contents. Raise ArchiveDamaged unless they have the recorded checksum."""
    try:
        with task.archive.open("rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        raise ArchiveDamaged("The file is gone.") from None
    if task.archive_sha256 and hashlib.sha256(content).hexdigest() != task.archive_sha256:
        raise ArchiveDamaged("The checksum of the file is not that of the build.")
    return content
