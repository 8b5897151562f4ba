"""Check that every visible text is translated.

Compares the texts extracted from the source with locale/*/LC_MESSAGES/django.po.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from dev.stack import ROOT

SOURCES = (
    *("microblog", "tasks", "staff", "blog", "exports", "imports", "api"),
    *("templates", "locale", "manage.py"),
)
PLACEHOLDER = re.compile(r"%\(\w+\).")


def locale_names() -> list[str]:
    """Return the folders under locale/ for the settings' languages except English, the source."""
    from django.conf import settings
    from django.utils.translation import to_locale

    return [to_locale(code) for code, _ in settings.LANGUAGES if code != "en"]


def run_makemessages(copy: Path, names: list[str]) -> None:
    """Run makemessages on a copy of the source, which updates the copy's catalogues."""
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source,
                copy / source,
                ignore=shutil.ignore_patterns("tests", "*.mo", "__pycache__"),
            )
        else:
            shutil.copy(ROOT / source, copy / source)
    locale_options = [word for name in names for word in ("--locale", name)]
    subprocess.run(
        [
            *(sys.executable, "manage.py", "makemessages", "--no-obsolete", "--verbosity", "0"),
            *locale_options,
        ],
        cwd=copy,
        env=os.environ | {"DEBUG": "true", "VAR_DIR": str(copy / "var")},
        check=True,
    )


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def untranslated(catalogue: Catalog) -> Iterator[str]:
    """Yield a line for each text whose translation is missing, fuzzy or invalid."""
    for message in catalogue:
        if message.id and (problem := _problem(message)):
            yield f'{problem}: "{_forms(message.id)[0]}" ({_place(message)})'


def _problem(message: Message) -> str:
    if message.fuzzy:
        return "fuzzy"
    if not all(_forms(message.string)):
        return "missing"
    return "" if _has_same_placeholders(message) else "different placeholders"


def _has_same_placeholders(message: Message) -> bool:
    """Return whether the translation uses the placeholders of the source.

    The last plural form must use all of them; the other forms may leave some out.
    """
    expected = {name for text in _forms(message.id) for name in PLACEHOLDER.findall(text)}
    *others, last = (set(PLACEHOLDER.findall(text)) for text in _forms(message.string))
    return last == expected and all(names <= expected for names in others)


def _forms(text: Any) -> list[str]:
    """Return the singular and any plurals."""
    return list(text) if isinstance(text, (list, tuple)) else [text]


def _place(message: Message) -> str:
    return ", ".join(f"{file}:{line}" for file, line in message.locations[:1])


def problems() -> Iterator[str]:
    names = locale_names()
    missing = [
        name
        for name in names
        if not (ROOT / "locale" / name / "LC_MESSAGES" / "django.po").exists()
    ]
    if missing:
        yield from (
            f"locale/{name}/LC_MESSAGES/django.po is missing; run manage.py makemessages -l {name}"
            for name in missing
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        run_makemessages(copy, names)
        for name in names:
            path = Path("locale", name, "LC_MESSAGES", "django.po")
            yield from (f"{path}: {line}" for line in untranslated(read_catalogue(copy / path)))


def main() -> int:
    if shutil.which("xgettext") is None or shutil.which("msgmerge") is None:
        print(
            "Translations not checked: GNU gettext is not installed. Run `make tools`.",
            file=sys.stderr,
        )
        return 1 if os.environ.get("CI") == "true" else 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    os.environ.setdefault("DEBUG", "true")
    lines = list(problems())
    print("\n".join(lines) or "All texts are translated.")
    return 1 if lines else 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
