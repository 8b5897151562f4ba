"""Check an archive against the format in docs/archive-format.md."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blog.management.progress_bar import ProgressBar

from .account import MANIFEST
from .kinds import ACCOUNT, POSTS

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

SCHEMA_FOLDER = Path(__file__).parent / "schemas"
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError)


class Verification:
    """Check of one archive, of either kind, that is in memory as a whole.

    Once `problems()` is exhausted, `document` is the parsed JSON file or, for an account, the
    manifest; it is empty if the archive cannot be read.
    """

    def __init__(self, data: bytes, bar: ProgressBar) -> None:
        self.data, self.bar = data, bar
        self.kind = POSTS
        self.document: dict[str, Any] = {}

    def problems(self) -> Iterator[str]:
        """Yield a description of each problem as it is found."""
        if not self.data.startswith(b"PK"):
            yield from self._check_document(self.data, self.kind.name)
            return
        expected_name = self.kind.file_name
        try:
            with zipfile.ZipFile(BytesIO(self.data)) as zip_file:
                if MANIFEST in zip_file.namelist():
                    self.kind, expected_name = ACCOUNT, MANIFEST
                    yield from self._check_account(zip_file)
                else:
                    yield from self._check_document(zip_file.read(expected_name), self.kind.name)
        except ZIP_ERRORS as error:
            yield f"not a zip file with {expected_name} in it: {error}"

    def _check_account(self, zip_file: zipfile.ZipFile) -> Iterator[str]:
        is_broken = False
        for problem in self._check_document(zip_file.read(MANIFEST), "manifest", "files"):
            is_broken = True
            yield f"{MANIFEST}: {problem}"
        if is_broken:
            return
        manifest = self.document
        listed = {file["name"]: file for file in manifest["files"]}
        for name in sorted(listed.keys() ^ set(zip_file.namelist()) - {MANIFEST}):
            yield f"{name} is {'missing' if name in listed else f'not in {MANIFEST}'}"
        if manifest["count"] != sum(file["count"] for file in listed.values()):
            yield f"{MANIFEST}: $.count is not the sum of the files' counts"
        for name in zip_file.namelist():
            if name in listed:
                content = zip_file.read(name)
                yield from self._check_file(name, content, listed[name], manifest["username"])
        self.document = manifest

    def _check_file(
        self, name: str, content: bytes, listed: dict[str, Any], username: str
    ) -> Iterator[str]:
        """Yield the problems of a file in an account archive: its own, and against the manifest."""
        size_and_hash = (len(content), hashlib.sha256(content).hexdigest())
        if size_and_hash != (listed["bytes"], listed["sha256"]):
            yield f"{name} has another size or SHA-256 than {MANIFEST} says"
        path = Path(name)
        if path.suffix == ".json" and _schema_path(path.stem).exists():
            self.document = {}
            for problem in self._check_document(content, path.stem):
                yield f"{name}: {problem}"
            document = self.document
            if document and (document.get("count"), document.get("username")) != (
                listed["count"],
                username,
            ):
                yield f"{name} has another count or username than {MANIFEST}"

    def _check_document(
        self, content: bytes, schema_name: str, list_name: str = ""
    ) -> Iterator[str]:
        """Yield the problems of a JSON file; its list has the schema's name by default."""
        from jsonschema import Draft202012Validator  # a slow import: up to two seconds

        try:
            document = json.loads(content.decode())
        except (ValueError, RecursionError) as error:
            yield f"not JSON in UTF-8: {error}"
            return
        list_name = list_name or schema_name
        schema = json.loads(_schema_path(schema_name).read_text())
        validator = Draft202012Validator(schema)
        rows = document.get(list_name) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            yield from map(_format_error, validator.iter_errors(document))
            if isinstance(rows, dict):  # the profile, which counts as one entry
                self.bar.total += 1
                self.bar.set_done(self.bar.done + 1)
        else:
            yield from map(_format_error, validator.iter_errors(document | {list_name: []}))
            row_schema = schema["properties"][list_name]["items"]
            yield from self._check_rows(rows, validator.evolve(schema=row_schema), list_name)
            count, found = document.get("count"), sum(map(_count_entries, rows))
            if isinstance(count, int) and count != found and schema_name != "manifest":
                yield f"$.count is {count}, but there are {found} {schema_name}"
        self.document = document if isinstance(document, dict) else {}

    def _check_rows(
        self, rows: list[Any], validator: "Draft202012Validator", list_name: str
    ) -> Iterator[str]:
        is_entry = list_name != "files"  # the manifest's list says what the other files hold
        self.bar.total += is_entry * sum(map(_count_entries, rows))
        latest = datetime.min.replace(tzinfo=UTC)
        for number, row in enumerate(rows):
            path = f"$.{list_name}[{number}]"
            errors = list(validator.iter_errors(row))
            yield from (_format_error(error, path) for error in errors)
            if not errors and "timestamp" in row:
                timestamp = row["timestamp"]
                try:
                    moment = datetime.fromisoformat(timestamp)
                except ValueError as error:
                    yield f"{path}.timestamp: {error}"
                else:
                    if moment < latest:
                        yield f"{path}.timestamp: {timestamp} is earlier than the one before"
                    latest = moment
            self.bar.set_done(self.bar.done + is_entry * _count_entries(row))


def _schema_path(name: str) -> Path:
    return SCHEMA_FOLDER / f"{name}.schema.json"


def _count_entries(row: Any) -> int:
    """Return how many entries a row counts as: a conversation, as many as it has messages."""
    messages = row.get("messages") if isinstance(row, dict) else None
    return len(messages) if isinstance(messages, list) else 1


def _format_error(error: "ValidationError", parent: str = "$") -> str:
    return f"{parent}{error.json_path[1:]}: {error.message}"
