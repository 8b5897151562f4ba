"""Build an archive file from database rows: no database writes, no mail, no queue."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core.files import File
from django.db import connection, transaction

from blog.models import User

from ..models import ExportTask
from ..models.task import archive_storage
from .kinds import KINDS, ZIP
from .output import Output, open_member, open_zip

CHUNK_ROWS = 500  # more rows take more memory and save no time
COPY_BYTES = 1 << 20
TEMPORARY_SUFFIX = ".part"


class Progress(Protocol):
    """Receiver of a build's progress; it stops the build by raising an exception."""

    def report(self, rows_done: int) -> None: ...

    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class BuildResult:
    """Number of rows, size in bytes and SHA-256 in hex of a finished archive."""

    rows: int
    size: int
    sha256: str


class ArchiveFile(Output):
    """Temporary file of one attempt, which `finish` zips if it is too large for a mail.

    `can_be_mailed` says whether an archive of that many bytes can be mailed.
    """

    def __init__(
        self, task: ExportTask, can_be_mailed: Callable[[int], bool], files: ExitStack
    ) -> None:
        self._task, self._kind, self._can_be_mailed, self._files = (
            task,
            KINDS[task.kind],
            can_be_mailed,
            files,
        )
        super().__init__(self._open(Path(self._kind.file_name).suffix))

    def finish(self, keep_alive: Callable[[], None]) -> None:
        """Replace a large plain file by a zip file, calling `keep_alive` after each megabyte."""
        if self._kind.is_zip or self._can_be_mailed(self.size):
            return
        plain = self.file
        with self._files.pop_all():  # closes and deletes the plain file
            self._start(self._open(".zip"))
            with open_zip(self) as zip_file, open_member(zip_file, self._kind.file_name) as member:
                plain.seek(0)
                while data := plain.read(COPY_BYTES):
                    member.write(data)
                    keep_alive()

    def _open(self, suffix: str) -> BinaryIO:
        path = temporary_folder() / f"{self._task.job_id}{suffix}{TEMPORARY_SUFFIX}"
        return self._files.enter_context(_temporary_file(path))


def build(kind: str, owner: User, out: Output, progress: Progress) -> BuildResult:
    """Write `owner`'s archive to `out`, at up to EXPORT_MAX_RATE rows a second.

    The archive is a snapshot of the moment when reading begins. Its texts are in the active
    language. Memory use does not depend on the number of rows. The caller must not use the
    database connection meanwhile: on SQLite a write on it would fail if others write.
    """
    rate, chunk_rows, rows = settings.EXPORT_MAX_RATE, CHUNK_ROWS, 0
    if rate:
        chunk_rows = min(CHUNK_ROWS, max(1, rate // 10))  # ten progress reports a second
    with _snapshot(), closing(KINDS[kind].write(owner, out, chunk_rows)) as chunks:
        for added in chunks:
            rows += added
            progress.report(rows)
            if added and rate:
                progress.wait(added / rate)
    out.finish(keep_alive=partial(progress.report, rows))
    return BuildResult(rows=rows, size=out.size, sha256=out.sha256)


@contextmanager
def open_archive_file(
    task: ExportTask, can_be_mailed: Callable[[int], bool]
) -> Iterator[ArchiveFile]:
    """Open the temporary file of one attempt, and delete it at the end unless it was stored."""
    with ExitStack() as files:
        yield ArchiveFile(task, can_be_mailed, files)


@contextmanager
def _temporary_file(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def temporary_folder() -> Path:
    folder = Path(settings.VAR_DIR) / "parts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def store(task: ExportTask, archive_file: ArchiveFile) -> str:
    """Move the finished file into the storage (by renaming where possible); return its name.

    The name contains the attempt, so a zombie worker cannot overwrite its successor's archive.
    """
    archive_file.file.flush()
    os.fsync(archive_file.file.fileno())
    name = f"{task.kind}/{Path(archive_file.file.name).name.removesuffix(TEMPORARY_SUFFIX)}"
    return archive_storage().save(name, _RenamableFile(archive_file.file))


def discard(name: str) -> None:
    """Delete an archive from the storage; do nothing if it does not exist."""
    archive_storage().delete(name)


def download_name_and_type(task: ExportTask) -> tuple[str, str]:
    kind = KINDS[task.kind]
    if is_zipped(task):
        return Path(kind.file_name).with_suffix(".zip").name, ZIP
    return kind.file_name, kind.content_type


def is_zipped(task: ExportTask) -> bool:
    """Return whether the archive was zipped because it was too large for an e-mail."""
    return str(task.archive.name).endswith(".zip") and not KINDS[task.kind].is_zip


def has_disk_space() -> bool:
    """Return whether EXPORT_MIN_FREE bytes are free on the disk that archives are built on."""
    return bool(shutil.disk_usage(settings.VAR_DIR).free >= settings.EXPORT_MIN_FREE)


class _RenamableFile(File[bytes]):
    """File that FileSystemStorage renames instead of copying."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self.path = str(file.name)
        super().__init__(file, name=Path(file.name).name)

    def temporary_file_path(self) -> str:
        return self.path


@contextmanager
def _snapshot() -> Iterator[None]:
    """Give all SELECTs of a build one snapshot of the database, without blocking writers.

    PostgreSQL: a REPEATABLE READ transaction. It also keeps the cursor from being WITH HOLD,
    which would materialise all rows before returning the first.
    SQLite: a deferred transaction, begun by hand, because Django's are IMMEDIATE and would
    block every writer.
    """
    if connection.in_atomic_block:  # in a test
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
