import hashlib
import re
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from blog.management.progress_bar import ProgressBar
from exports.archive.verification import Verification

MAX_PROBLEMS = 10
CHECKSUM = re.compile(r"[0-9a-fA-F]{64}")
MAX_LINE_LENGTH = 200


class Command(BaseCommand):
    help = (
        "Check an archive of posts (JSON or zip) or of an account: schemas, counts, order and "
        "checksums."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--sha256",
            metavar="HEX",
            help="expected checksum, as shown in the email and on the export page",
        )

    def handle(self, *, file: Path, sha256: str | None, **options: Any) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror or error}.") from None
        digest = hashlib.sha256(data).hexdigest()
        problems = []
        if sha256 is not None and not CHECKSUM.fullmatch(sha256.strip()):
            raise CommandError(f"--sha256 is {sha256!r}; it may be 64 hexadecimal digits.")
        if sha256 and sha256.strip().lower() != digest:
            problems.append(f"SHA-256 mismatch: file has {digest}, expected {sha256}")
        with ProgressBar(self.stderr, "entries") as bar:
            archive = Verification(data, bar)
            problems += islice(archive.problems(), MAX_PROBLEMS + 1)
        if problems:
            self._refuse(file, problems)
        document, rows = archive.document, archive.kind.rows_name
        self.stdout.write(
            f"OK: {document['count']:,} {rows} by {document['username']}, {len(data):,} bytes"
        )
        self.stdout.write(f"SHA-256: {digest}" + (", as expected" if sha256 else ""))

    def _refuse(self, file: Path, problems: list[str]) -> None:
        for problem in problems[:MAX_PROBLEMS]:
            self.stderr.write(
                problem if len(problem) <= MAX_LINE_LENGTH else f"{problem[: MAX_LINE_LENGTH - 1]}…"
            )
        more = " There are more problems." if len(problems) > MAX_PROBLEMS else ""
        raise CommandError(f"{file} is not a valid archive.{more}")
