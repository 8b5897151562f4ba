"""Whether an archive is what docs/archive-format.md says, and what is wrong with it."""

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

SCHEMAS = Path(__file__).parent / "schemas"
PACKING_ERRORS = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError)


class Verification:
    """An archive of whatever kind, whole in memory. `facts` are those of its head, once its `problems` were read."""

    def __init__(self, data: bytes, bar: ProgressBar) -> None:
        self.data, self.bar = data, bar
        self.kind = POSTS
        self.facts: dict[str, Any] = {}

    def problems(self) -> Iterator[str]:
        """What is wrong, in words, found as it is read."""
        if not self.data.startswith(b"PK"):
            yield from self._document(self.data, self.kind.name)
            return
        wanted = self.kind.file_name
        try:
            with zipfile.ZipFile(BytesIO(self.data)) as packed:
                if MANIFEST in packed.namelist():
                    self.kind, wanted = ACCOUNT, MANIFEST
                    yield from self._account(packed)
                else:
                    yield from self._document(packed.read(wanted), self.kind.name)
        except PACKING_ERRORS as error:
            yield f"not a zip file with {wanted} in it: {error}"

    def _account(self, packed: zipfile.ZipFile) -> Iterator[str]:
        broken = False
        for problem in self._document(packed.read(MANIFEST), "manifest", "files"):
            broken = True
            yield f"{MANIFEST}: {problem}"
        if broken:
            return
        manifest = self.facts
        listed = {file["name"]: file for file in manifest["files"]}
        for name in sorted(listed.keys() ^ set(packed.namelist()) - {MANIFEST}):
            yield f"{name} is {'missing' if name in listed else f'not in {MANIFEST}'}"
        if manifest["count"] != sum(file["count"] for file in listed.values()):
            yield f"{MANIFEST}: $.count: it is not the sum of the files'"
        for name in packed.namelist():
            if name in listed:
                yield from self._file(name, packed.read(name), listed[name], manifest["username"])
        self.facts = manifest

    def _file(
        self, name: str, content: bytes, listed: dict[str, Any], username: str
    ) -> Iterator[str]:
        """What is wrong with a file in an account archive, by itself and beside what the manifest says of it."""
        if (len(content), hashlib.sha256(content).hexdigest()) != (
            listed["bytes"],
            listed["sha256"],
        ):
            yield f"{name} has another size or SHA-256 than {MANIFEST} says"
        path = Path(name)
        if path.suffix == ".json" and (SCHEMAS / f"{path.stem}.schema.json").exists():
            self.facts = {}
            yield from (f"{name}: {problem}" for problem in self._document(content, path.stem))
            if self.facts and (self.facts.get("count"), self.facts.get("username")) != (
                listed["count"],
                username,
            ):
                yield f"{name} has another count or username than {MANIFEST}"

    def _document(self, content: bytes, name: str, rows_name: str = "") -> Iterator[str]:
        """What is wrong with a JSON file that is described by the schema of that name."""
        from jsonschema import Draft202012Validator  # here, because it takes up to two seconds

        try:
            document = json.loads(content.decode())
        except (ValueError, RecursionError) as error:
            yield f"not JSON in UTF-8: {error}"
            return
        rows_name = rows_name or name
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        validator = Draft202012Validator(schema)
        rows = document.get(rows_name) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            yield from map(_words, validator.iter_errors(document))
        else:
            yield from map(_words, validator.iter_errors(document | {rows_name: []}))
            rules = schema["properties"][rows_name]["items"]
            yield from self._rows(rows, validator.evolve(schema=rules), rows_name)
            count, found = document.get("count"), sum(map(_weight, rows))
            if isinstance(count, int) and count != found and name != "manifest":
                yield f"$.count: it is {count}, but there are {found} {name}"
        self.facts = document if isinstance(document, dict) else {}

    def _rows(self, rows: list[Any], validator: "Draft202012Validator", name: str) -> Iterator[str]:
        self.bar.total += len(rows)
        latest = datetime.min.replace(tzinfo=UTC)
        for number, row in enumerate(rows):
            errors = list(validator.iter_errors(row))
            yield from (_words(error, f"$.{name}[{number}]") for error in errors)
            if not errors and "timestamp" in row:
                try:
                    moment = datetime.fromisoformat(row["timestamp"])
                except ValueError as error:
                    yield f"$.{name}[{number}].timestamp: {error}"
                else:
                    if moment < latest:
                        yield f"$.{name}[{number}].timestamp: {row['timestamp']} is earlier than that of the one before"
                    latest = moment
            self.bar.set_done(self.bar.done + 1)


def _weight(row: Any) -> int:
    """How many entries a row counts for: a conversation for its messages."""
    messages = row.get("messages") if isinstance(row, dict) else None
    return len(messages) if isinstance(messages, list) else 1


def _words(error: "ValidationError", parent: str = "$") -> str:
    return f"{parent}{error.json_path[1:]}: {error.message}"
