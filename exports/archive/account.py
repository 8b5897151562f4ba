"""Archive of a whole account: a zip of JSON files, as described in docs/archive-format.md."""

import json
from collections.abc import Generator, Iterator
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from blog.models import User

from .coverage import EXCLUDED
from .json_document import FORMAT_VERSION
from .output import Output, open_member, open_zip
from .sections import SECTIONS

README = "README.txt"
MANIFEST = "manifest.json"


def count_entries(owner: User) -> int:
    return sum(section.queryset_for(owner).count() for section in SECTIONS)


def write(owner: User, out: Output, chunk_rows: int) -> Generator[int]:
    """Write the zip file, and yield the number of entries after each chunk.

    The README is in the active language. Each section is read by a single SELECT.
    """
    files: list[dict[str, Any]] = []
    with open_zip(out) as zip_file:
        for name, chunks in _iter_files(owner, chunk_rows):
            with open_member(zip_file, name) as member:
                hashed, entries = Output(member), 0
                for added, data in chunks:
                    hashed.write(data)
                    entries += added
                    yield added
            files.append(
                {"name": name, "count": entries, "bytes": hashed.size, "sha256": hashed.sha256}
            )
        with open_member(zip_file, MANIFEST) as member:
            member.write(render_manifest(owner, files).encode())


def _iter_files(owner: User, chunk_rows: int) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
    yield README, iter([(0, render_readme(owner).encode())])
    for section in SECTIONS:
        yield section.file_name, section.iter_chunks(owner, chunk_rows)


def render_manifest(owner: User, files: list[dict[str, Any]]) -> str:
    document = {
        "version": FORMAT_VERSION,
        "username": owner.username,
        "site": settings.SITE_URL,
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
