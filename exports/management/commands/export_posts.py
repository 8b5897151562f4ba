import os
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from blog.management.progress_bar import ProgressBar
from blog.models import User
from exports.archive import build as archive
from exports.archive.kinds import KINDS, POSTS
from exports.archive.output import Output
from tasks.management.requirements import require_database


class TerminalProgress(ProgressBar):
    """Progress bar in the terminal, with the interface that a build expects."""

    def report(self, rows_done: int) -> None:
        self.set_done(rows_done)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class Command(BaseCommand):
    help = "Write a user's archive to a file: the same one the site would email."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--kind", choices=KINDS, default=POSTS.name)
        parser.add_argument(
            "--output",
            type=Path,
            required=True,
            metavar="FILE",
            help="output file (overwritten if it exists)",
        )

    def handle(self, *, username: str, kind: str, output: Path, **options: Any) -> None:
        require_database()
        rows = KINDS[kind].rows_name
        try:
            owner = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            raise CommandError(f"No user named {username!r}.") from None
        try:
            with (
                _atomic_file(output) as out,
                TerminalProgress(self.stderr, rows, KINDS[kind].count_rows(owner)) as progress,
                translation.override(owner.language or settings.LANGUAGE_CODE),
            ):
                built = archive.build(kind, owner, Output(out), progress)
        except OSError as error:
            raise CommandError(f"Cannot write {output}: {error.strerror or error}.") from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted; nothing was written.", returncode=130) from None
        self.stdout.write(
            f"{output}: {built.rows:,} {rows}, {built.size:,} bytes, "
            f"{progress.rate:,.0f} {rows} per second"
        )
        self.stdout.write(f"SHA-256: {built.sha256}")


@contextmanager
def _atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces `path` on success and is deleted on an error.

    Only the current user may read the file, because it holds private data.
    """
    if path.exists() and not path.is_file():
        raise OSError("it exists and is not a file")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".export-", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
