"""Archive of a whole account: a zip of JSON files, as described in docs/archive-format.md."""

import hashlib
import json
from collections.abc import Generator, Iterator
from typing import Any

from django.utils.translation import gettext as _

from blog.models import User

from .coverage import EXCLUDED
from .json_document import FORMAT_VERSION
from .packing import Zip
from .sections import SECTIONS

README = "README.txt"
MANIFEST = "manifest.json"


def count_entries(owner: User) -> int:
    return sum(section.queryset_for(owner).count() for section in SECTIONS)


def iter_chunks(owner: User, chunk_rows: int) -> Generator[tuple[int, bytes]]:
    """Yield the zip file in chunks, each as (number of entries, bytes).

    The README is in the active language. Each section is read by a single SELECT.
    """
    packing = Zip()
    files: list[dict[str, Any]] = []
    for name, contents in _iter_files(owner, chunk_rows):
        digest, size, entries = hashlib.sha256(), 0, 0
        yield 0, packing.begin(name)
        for added, data in contents:
            digest.update(data)
            size, entries = size + len(data), entries + added
            yield added, packing.write(data)
        yield 0, packing.end()
        files.append({"name": name, "count": entries, "bytes": size, "sha256": digest.hexdigest()})
    manifest = render_manifest(owner, files).encode()
    yield 0, packing.begin(MANIFEST) + packing.write(manifest) + packing.end()
    yield 0, packing.close()


def _iter_files(owner: User, chunk_rows: int) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
    yield README, iter([(0, render_readme(owner).encode())])
    for section in SECTIONS:
        yield section.file_name, section.iter_chunks(owner, chunk_rows)


def render_manifest(owner: User, files: list[dict[str, Any]]) -> str:
    document = {
        "version": FORMAT_VERSION,
        "username": owner.username,
        "files": files,
        "count": sum(file["count"] for file in files),
    }
    return json.dumps(document, indent=1) + "\n"


def render_readme(owner: User) -> str:
    lines = [
        _("The account of %(name)s on Microblog") % {"name": owner.username},
        "",
        _("What is in this archive:"),
        *(f"* {section.file_name}: {section.title}. {section.description}" for section in SECTIONS),
        "* {}: {}".format(MANIFEST, _("How many entries each file has, and its SHA-256 checksum.")),
        "",
        _("What is not in it:"),
        *(f"* {exclusion.description}. {exclusion.reason}" for exclusion in EXCLUDED),
        "",
        _(
            "All files are text in UTF-8, those that end in .json are JSON, and all times are in "
            "UTC."
        ),
    ]
    return "\n".join(lines) + "\n"
