"""Rows in, archive file out. Writes nothing to the database, knows no mail and no queue."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core.files import File
from django.db import connection, transaction

from blog.models import User

from .kinds import KINDS
from .models import ExportTask
from .models.task import archive_name

CHUNK_ROWS = 2000


class Progress(Protocol):
    """Who is told how far a build is, and may end it by raising."""

    def start(self, rows_total: int) -> None: ...

    def report(self, rows_done: int) -> None: ...

    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Built:
    """A finished archive: rows in it, size in bytes, SHA-256 in hex."""

    rows: int
    size: int
    sha256: str


def build(kind: str, owner: User, out: BinaryIO, progress: Progress) -> Built:
    """Write `owner`'s archive to `out`, telling `progress`, at EXPORT_MAX_RATE rows a second at most.

    Contents are what existed when the reading began. Memory does not depend on their number. The database
    connection belongs to the build meanwhile: on SQLite a write on it would fail while others write.
    """
    maker = KINDS[kind]
    progress.start(maker.count(owner))
    digest, rows, size = hashlib.sha256(), 0, 0
    with _snapshot():
        for added, data in maker.chunks(owner, _chunk_rows()):
            out.write(data)
            digest.update(data)
            rows, size = rows + added, size + len(data)
            progress.report(rows)
            if added and settings.EXPORT_MAX_RATE:
                progress.wait(added / settings.EXPORT_MAX_RATE)
    return Built(rows, size, digest.hexdigest())


@contextmanager
def part_file(task: ExportTask) -> Iterator[BinaryIO]:
    """An open file for one attempt, which is gone afterwards unless `store` has made it the archive."""
    folder = settings.VAR_DIR / "parts"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{task.pk}-{task.attempt}.part"
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def store(task: ExportTask, part: BinaryIO) -> str:
    """Put the whole part file into storage, by renaming it where the storage is a folder; its name there."""
    part.flush()
    os.fsync(part.fileno())
    name = archive_name(task, KINDS[task.kind].file_name)
    return ExportTask._meta.get_field("archive").storage.save(name, _Movable(part))


def discard(name: str) -> None:
    """Remove an archive from storage; nothing happens where it is gone already."""
    ExportTask._meta.get_field("archive").storage.delete(name)


class _Movable(File):
    """A file on disk that FileSystemStorage may rename instead of copying."""

    def __init__(self, part: BinaryIO) -> None:
        part.seek(0)
        super().__init__(part, name=Path(part.name).name)

    def temporary_file_path(self) -> str:
        return str(self.file.name)


def _chunk_rows() -> int:
    """Smaller chunks at a limited rate, so that the bar moves ten times a second."""
    rate = settings.EXPORT_MAX_RATE
    return min(CHUNK_ROWS, max(1, rate // 10)) if rate else CHUNK_ROWS


def _snapshot() -> AbstractContextManager[None]:
    """What the one SELECT of a build needs around it.

    PostgreSQL: a transaction, or the cursor is WITH HOLD and its first row waits for the last. SQLite: none, because
    ours begin IMMEDIATE and would shut out every writer, while a bare SELECT is a snapshot in itself.
    """
    return transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
