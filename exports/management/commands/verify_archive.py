import hashlib
import json
import zipfile
import zlib
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from blog.terminal import ProgressBar
from exports.kinds import KINDS

SCHEMA = Path(__file__).parents[2] / "schemas" / "posts.schema.json"
FILE_NAME = KINDS["posts"].file_name
PACKING_ERRORS = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError)
MOST_PROBLEMS = 10
LONGEST_LINE = 200


class Command(BaseCommand):
    help = "Check an archive of posts, as JSON or zip: its schema, count and order, and its SHA-256 if that is given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--sha256", metavar="HEX", help="as the mail and the export's page show it")

    def handle(self, *, file: Path, sha256: str | None, **options: Any) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror or error}.") from None
        digest = hashlib.sha256(data).hexdigest()
        problems = []
        if sha256 and sha256.strip().lower() != digest:
            problems.append(f"SHA-256 is {digest}, not {sha256}")
        try:
            archive = json.loads(_unpacked(data).decode())
        except PACKING_ERRORS as error:
            problems.append(f"not a zip file with {FILE_NAME} in it: {error}")
        except (ValueError, RecursionError) as error:
            problems.append(f"not JSON in UTF-8: {error}")
        else:
            with ProgressBar(self.stderr, "posts") as bar:
                problems += islice(_problems(archive, bar), MOST_PROBLEMS + 1)
        if problems:
            self._refuse(file, problems)
        self.stdout.write(f"OK: {archive['count']:,} posts by {archive['username']}, {len(data):,} bytes")
        self.stdout.write(f"SHA-256: {digest}" + (", as expected" if sha256 else ""))

    def _refuse(self, file: Path, problems: list[str]) -> None:
        for problem in problems[:MOST_PROBLEMS]:
            self.stderr.write(problem if len(problem) <= LONGEST_LINE else f"{problem[: LONGEST_LINE - 1]}…")
        more = " There are more." if len(problems) > MOST_PROBLEMS else ""
        raise CommandError(f"{file} is not a sound archive.{more}")


def _unpacked(data: bytes) -> bytes:
    """The JSON, out of its zip file where it was too large for an e-mail."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(BytesIO(data)) as packed:
        return packed.read(FILE_NAME)


def _problems(archive: Any, bar: ProgressBar) -> Iterator[str]:
    """What is wrong with a parsed archive, in words, found as it is read."""
    schema = json.loads(SCHEMA.read_text())
    validator = Draft202012Validator(schema)
    posts = archive.get("posts") if isinstance(archive, dict) else None
    if not isinstance(posts, list):
        yield from map(_words, validator.iter_errors(archive))
        return
    yield from map(_words, validator.iter_errors(archive | {"posts": []}))
    count = archive.get("count")
    if isinstance(count, int) and count != len(posts):
        yield f"$.count: it is {count}, but there are {len(posts)} posts"
    bar.total = len(posts)
    yield from _post_problems(posts, validator.evolve(schema=schema["properties"]["posts"]["items"]), bar)


def _post_problems(posts: list[Any], validator: Draft202012Validator, bar: ProgressBar) -> Iterator[str]:
    latest = datetime.min.replace(tzinfo=UTC)
    for number, post in enumerate(posts):
        errors = list(validator.iter_errors(post))
        yield from (_words(error, f"$.posts[{number}]") for error in errors)
        if not errors:
            try:
                written_at = datetime.fromisoformat(post["timestamp"])
            except ValueError as error:
                yield f"$.posts[{number}].timestamp: {error}"
            else:
                if written_at < latest:
                    yield f"$.posts[{number}].timestamp: {post['timestamp']} is earlier than that of the post before"
                latest = written_at
        bar.advance(number + 1)


def _words(error: ValidationError, parent: str = "$") -> str:
    return f"{parent}{error.json_path[1:]}: {error.message}"
