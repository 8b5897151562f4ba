"""Check an archive against the format in docs/archive-format.md."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from blog.management.progress_bar import ProgressBar

from .account import MANIFEST
from .json_reader import InvalidJSON, JSONPath, JSONReader
from .kinds import ACCOUNT, POSTS

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

SCHEMA_FOLDER = Path(__file__).parent / "schemas"
# A zip member with a password raises RuntimeError.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError)
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_FILES = 100
MAX_RATIO = 200  # unpacked size divided by that of the zip file; most archives reach about 40
MIN_RATIO_BYTES = 1 << 30  # unpacked size from which on the ratio counts


class Verification:
    """Check of one archive, of either kind, that is read as a stream.

    Once `problems()` is exhausted, `document` is the parsed JSON file without its rows or, for an
    account, the manifest; it is empty if the archive cannot be read.
    """

    def __init__(self, file: BinaryIO, bar: ProgressBar) -> None:
        self.file, self.bar = file, bar
        self.kind = POSTS
        self.document: dict[str, Any] = {}

    def problems(self) -> Iterator[str]:
        """Yield a description of each problem as it is found."""
        size = self.file.seek(0, 2)
        self.file.seek(0)
        is_zip = self.file.read(2) == b"PK"
        self.file.seek(0)
        if not is_zip:
            yield from self._check_document(JSONReader(self.file), self.kind.name, size)
            return
        expected_name = self.kind.file_name
        try:
            with zipfile.ZipFile(self.file) as zip_file:
                if problem := _zip_problem(zip_file, size):
                    yield problem
                elif MANIFEST in zip_file.namelist():
                    self.kind, expected_name = ACCOUNT, MANIFEST
                    yield from self._check_account(zip_file)
                else:
                    member = zip_file.getinfo(expected_name)
                    reader = open_member(zip_file, expected_name)
                    yield from self._check_document(reader, self.kind.name, member.file_size)
        except ZIP_ERRORS as error:
            yield f"not a zip file with {expected_name} in it: {error}"

    def _check_account(self, zip_file: zipfile.ZipFile) -> Iterator[str]:
        is_broken = False
        for problem in self._check_document(open_member(zip_file, MANIFEST), "manifest"):
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
        self.bar.total = manifest["count"]
        for name in zip_file.namelist():
            if name in listed:
                reader = open_member(zip_file, name)
                yield from self._check_file(name, reader, listed[name], manifest["username"])
        self.document = manifest

    def _check_file(
        self, name: str, reader: JSONReader, listed: dict[str, Any], username: str
    ) -> Iterator[str]:
        """Yield the problems of a file in an account archive: its own, and against the manifest."""
        path = Path(name)
        if path.suffix == ".json" and _schema_path(path.stem).exists():
            for problem in self._check_document(reader, path.stem):
                yield f"{name}: {problem}"
            document = self.document
            if document and (document.get("count"), document.get("username")) != (
                listed["count"],
                username,
            ):
                yield f"{name} has another count or username than {MANIFEST}"
        reader.skip_rest()
        if (reader.size, reader.digest.hexdigest()) != (listed["bytes"], listed["sha256"]):
            yield f"{name} has another size or SHA-256 than {MANIFEST} says"

    def _check_document(
        self, reader: JSONReader, schema_name: str, total_bytes: int = 0
    ) -> Iterator[str]:
        """Yield the problems of a JSON file whose list, if any, has the schema's name.

        With `total_bytes`, its size, the progress bar gets an estimate of all entries.
        """
        self.document = {}
        rows = Rows(schema_name, self.bar)
        try:
            for path, value in reader.items(rows.paths):
                yield from rows.check(path, value)
                if total_bytes:
                    self.bar.total = rows.count * total_bytes // reader.size
        except InvalidJSON as error:
            yield f"not JSON in UTF-8: {error}"
            return
        document = reader.document
        yield from map(_format_error, _validator(schema_name).iter_errors(document))
        if not isinstance(document, dict):
            return
        self.document = document
        if isinstance(document.get(schema_name), dict):  # the profile, which counts as one entry
            rows.add_entry()
        count = document.get("count")
        if isinstance(count, int) and count != rows.count and schema_name != "manifest":
            yield f"$.count is {count}, but there are {rows.count} {schema_name}"
        if total_bytes:
            self.bar.total = rows.count


class Rows:
    """Check of the rows of one file; a conversation counts as many entries as it has messages."""

    def __init__(self, schema_name: str, bar: ProgressBar) -> None:
        self.bar = bar
        self.count = 0
        self._number = self._inner = 0
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._list_path: JSONPath = (schema_name,)
        self._validators: dict[JSONPath, Draft202012Validator] = {}
        validator = _validator(schema_name)
        schema = validator.schema["properties"].get(schema_name, {}).get("items")
        if schema:
            self._validators[self._list_path] = validator.evolve(schema=schema)
        if schema_name == "messages":
            inner = schema["properties"]["messages"]["items"]
            self._validators["messages", "messages"] = validator.evolve(schema=inner)
        self.paths = frozenset(self._validators)

    def check(self, path: JSONPath, value: Any) -> Iterator[str]:
        """Yield the problems of a row, or of a message within the conversation that follows."""
        text = f"$.{path[0]}[{self._number}]"
        errors = list(self._validators[path].iter_errors(value))
        if path != self._list_path:
            yield from (_format_error(error, f"{text}.messages[{self._inner}]") for error in errors)
            self._inner += 1
            self.add_entry()
            return
        if self._inner:  # the reader has emptied the list of messages
            errors = [error for error in errors if error.validator != "minItems"]
        yield from (_format_error(error, text) for error in errors)
        if not errors and "timestamp" in value:
            yield from self._check_order(value["timestamp"], text)
        self._number, self._inner = self._number + 1, 0
        if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
            self.add_entry()

    def add_entry(self) -> None:
        self.count += 1
        self.bar.set_done(self.bar.done + 1)

    def _check_order(self, timestamp: str, path: str) -> Iterator[str]:
        try:
            moment = datetime.fromisoformat(timestamp)
        except ValueError as error:
            yield f"{path}.timestamp: {error}"
            return
        if moment < self._latest:
            yield f"{path}.timestamp: {timestamp} is earlier than the one before"
        self._latest = moment


def open_member(zip_file: zipfile.ZipFile, name: str) -> JSONReader:
    return JSONReader(cast("BinaryIO", zip_file.open(name)))


def _zip_problem(zip_file: zipfile.ZipFile, size: int) -> str:
    """Describe what makes the zip file unfit to be read at all; return "" if nothing does."""
    members = zip_file.infolist()
    names = zip_file.namelist()
    if len(members) > MAX_FILES:
        return f"more than {MAX_FILES} files"
    if len(set(names)) < len(names):
        return "two files of the same name"
    if sum(member.file_size for member in members) > max(MIN_RATIO_BYTES, size * MAX_RATIO):
        return f"more than {MAX_RATIO} times as large once it is unpacked"
    if any(member.compress_type not in COMPRESSIONS for member in members):
        return "compressed in another way than ordinary zip files"
    return ""


@cache
def _validator(schema_name: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # a slow import: up to two seconds

    return Draft202012Validator(json.loads(_schema_path(schema_name).read_text()))


def _schema_path(name: str) -> Path:
    return SCHEMA_FOLDER / f"{name}.schema.json"


def _format_error(error: "ValidationError", parent: str = "$") -> str:
    return f"{parent}{error.json_path[1:]}: {error.message}"
