"""Rows in, archive file out. Writes nothing to the database, knows no mail and no queue."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core.files import File
from django.db import connection, transaction

from blog.models import User

from ..models import ExportTask
from ..models.task import archive_storage
from .kinds import KINDS, ZIP
from .packing import Zip

CHUNK_ROWS = 500  # more take memory and save no time
PACK_BYTES = 1 << 20
PART_SUFFIX = ".part"


class Progress(Protocol):
    """Who is told how far a build is, and may end it by raising."""

    def report(self, rows_done: int) -> None: ...

    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Built:
    """A finished archive: rows in it, size in bytes, SHA-256 in hex."""

    rows: int
    size: int
    sha256: str


class Output:
    """Passes on to a file what is written, counted and hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self._begin(file)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.file.write(data)
        self.size += len(data)

    def finish(self) -> None:
        """Write what has to come after all else."""

    def _begin(self, file: BinaryIO) -> None:
        self.file, self.size, self._digest = file, 0, hashlib.sha256()


class Part(Output):
    """The file that an attempt writes. Once `fits` refuses its size, it goes on as a zip file in another's place.

    So nothing is written twice but what fitted, and no more than that lies on the disk as it is.
    """

    def __init__(self, task: ExportTask, fits: Callable[[int], bool], files: ExitStack) -> None:
        self._task, self._kind, self._fits, self._files = task, KINDS[task.kind], fits, files
        self._zip: Zip | None = None
        super().__init__(self._open(Path(self._kind.file_name).suffix))

    def write(self, data: bytes) -> None:
        if self._zip is None and not (self._kind.is_zip or self._fits(self.size + len(data))):
            self._zip = self._pack()
        super().write(self._zip.write(data) if self._zip else data)

    def finish(self) -> None:
        if self._zip:
            super().write(self._zip.end() + self._zip.close())

    def _pack(self) -> Zip:
        """Begin anew with the zip of what is written so far."""
        plain, packed = self.file, Zip()
        with self._files.pop_all():
            self._begin(self._open(".zip"))
            super().write(packed.begin(self._kind.file_name))
            plain.seek(0)
            while data := plain.read(PACK_BYTES):
                super().write(packed.write(data))
        return packed

    def _open(self, suffix: str) -> BinaryIO:
        return self._files.enter_context(
            _file(parts_folder() / f"{self._task.job_id}{suffix}{PART_SUFFIX}")
        )


def build(kind: str, owner: User, out: Output, progress: Progress) -> Built:
    """Write `owner`'s archive to `out`, telling `progress`, at EXPORT_MAX_RATE rows a second at most.

    What is in words is in the active language.

    Contents are what existed when the reading began. Memory does not depend on their number. The database
    connection belongs to the build meanwhile: on SQLite a write on it would fail while others write.
    """
    rows = 0
    with _snapshot(), closing(KINDS[kind].chunks(owner, _chunk_rows())) as chunks:
        for added, data in chunks:
            out.write(data)
            rows += added
            progress.report(rows)
            if added and settings.EXPORT_MAX_RATE:
                progress.wait(added / settings.EXPORT_MAX_RATE)
    out.finish()
    return Built(rows, out.size, out.sha256)


@contextmanager
def part_file(task: ExportTask, fits: Callable[[int], bool]) -> Iterator[Part]:
    """An open file for one attempt, which is gone afterwards unless `store` has made it the archive."""
    with ExitStack() as files:
        yield Part(task, fits, files)


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def parts_folder() -> Path:
    folder = Path(settings.VAR_DIR) / "parts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def store(task: ExportTask, part: Part) -> str:
    """Put the whole part file into storage, by renaming it where the storage is a folder; its name there.

    One name an attempt, so that a zombie cannot write over its successor's archive.
    """
    part.file.flush()
    os.fsync(part.file.fileno())
    name = f"{task.kind}/{Path(part.file.name).name.removesuffix(PART_SUFFIX)}"
    return archive_storage().save(name, _Movable(part.file))


def discard(name: str) -> None:
    """Remove an archive from storage; nothing happens where it is gone already."""
    archive_storage().delete(name)


def download_name(task: ExportTask) -> tuple[str, str]:
    """What the archive is called where it is saved, and its content type."""
    kind = KINDS[task.kind]
    if is_packed(task):
        return Path(kind.file_name).with_suffix(".zip").name, ZIP
    return kind.file_name, kind.content_type


def is_packed(task: ExportTask) -> bool:
    """Whether the archive was too large for an e-mail as it is, and was made a zip file."""
    return str(task.archive.name).endswith(".zip") and not KINDS[task.kind].is_zip


def has_room() -> bool:
    """Whether the disk that archives are built on has EXPORT_MIN_FREE bytes left."""
    return bool(shutil.disk_usage(settings.VAR_DIR).free >= settings.EXPORT_MIN_FREE)


class _Movable(File[bytes]):
    """A file on disk that FileSystemStorage may rename instead of copying."""

    def __init__(self, part: BinaryIO) -> None:
        part.seek(0)
        self.path = str(part.name)
        super().__init__(part, name=Path(part.name).name)

    def temporary_file_path(self) -> str:
        return self.path


def _chunk_rows() -> int:
    """Smaller chunks at a limited rate, so that the bar moves ten times a second."""
    rate = settings.EXPORT_MAX_RATE
    return min(CHUNK_ROWS, max(1, rate // 10)) if rate else CHUNK_ROWS


@contextmanager
def _snapshot() -> Iterator[None]:
    """What the SELECTs of a build need around them to see the same moment, and to shut nobody out.

    PostgreSQL: a transaction that reads repeatably; it also keeps the cursor from being WITH HOLD, whose first row
    waits for the last. SQLite: a deferred one, begun by hand, because Django's begin IMMEDIATE and would shut out every
    writer.
    """
    if connection.in_atomic_block:  # a test's
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
