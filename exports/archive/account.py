"""The archive of a person's whole account: a zip of JSON files; docs/archive-format.md says what is in it."""

import hashlib
import json
from collections.abc import Generator, Iterator
from typing import Any

from django.utils.translation import gettext as _

from blog.models import User

from .coverage import LEFT_OUT
from .json_document import FORMAT_VERSION
from .packing import Zip
from .sections import PARTS

README = "README.txt"
MANIFEST = "manifest.json"


def count(owner: User) -> int:
    return sum(part.of(owner).count() for part in PARTS)


def chunks(owner: User, rows: int) -> Generator[tuple[int, bytes]]:
    """The zip file, its README in the active language, at most `rows` entries a chunk; each part is one SELECT."""
    packed = Zip()
    files: list[dict[str, Any]] = []
    for name, contents in _files(owner, rows):
        digest, size, entries = hashlib.sha256(), 0, 0
        yield 0, packed.begin(name)
        for added, data in contents:
            digest.update(data)
            size, entries = size + len(data), entries + added
            yield added, packed.write(data)
        yield 0, packed.end()
        files.append({"name": name, "count": entries, "bytes": size, "sha256": digest.hexdigest()})
    yield 0, packed.begin(MANIFEST) + packed.write(manifest(owner, files).encode()) + packed.end()
    yield 0, packed.close()


def _files(owner: User, rows: int) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
    yield README, iter([(0, readme(owner).encode())])
    for part in PARTS:
        yield part.file_name, part.chunks(owner, rows)


def manifest(owner: User, files: list[dict[str, Any]]) -> str:
    facts = {
        "version": FORMAT_VERSION,
        "username": owner.username,
        "files": files,
        "count": sum(file["count"] for file in files),
    }
    return json.dumps(facts, indent=1) + "\n"


def readme(owner: User) -> str:
    """What is in the archive and what is not, in the active language."""
    lines = [
        _("The account of %(name)s on Microblog") % {"name": owner.username},
        "",
        _("What is in this archive:"),
        *(f"* {part.file_name}: {part.title}. {part.words}" for part in PARTS),
        "* {}: {}".format(MANIFEST, _("How many entries each file has, and its SHA-256 checksum.")),
        "",
        _("What is not in it:"),
        *(f"* {left.what}. {left.why}" for left in LEFT_OUT),
        "",
        _(
            "All files are text in UTF-8, those that end in .json are JSON, and all times are in UTC."
        ),
    ]
    return "\n".join(lines) + "\n"
