"""Is all that people read translated? Compares a fresh extraction with locale/*/LC_MESSAGES/django.po."""

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

SOURCES = ("blog", "exports", "api", "microblog", "templates", "locale", "manage.py")
PLACEHOLDER = re.compile(r"%\(\w+\).")


def locales() -> list[str]:
    """The folders that the settings' languages want under locale/; English is what the source is written in."""
    from django.conf import settings
    from django.utils.translation import to_locale

    return [to_locale(code) for code, _ in settings.LANGUAGES if code != "en"]


def extract(copy: Path, names: list[str]) -> None:
    """Let makemessages merge what the source says into a copy of the catalogues."""
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source,
                copy / source,
                ignore=shutil.ignore_patterns("tests", "*.mo", "__pycache__"),
            )
        else:
            shutil.copy(ROOT / source, copy / source)
    chosen = [word for name in names for word in ("--locale", name)]
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--no-obsolete", "--verbosity", "0", *chosen],
        cwd=copy,
        env=os.environ | {"DEBUG": "true", "VAR_DIR": str(copy / "var")},
        check=True,
    )


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def untranslated(merged: Catalog) -> Iterator[str]:
    """One line for each text without a sound translation, or with one that nobody has confirmed."""
    for message in merged:
        if message.id and (flaw := _flaw(message)):
            yield f'{flaw}: "{_forms(message.id)[0]}" ({_place(message)})'


def _flaw(message: Message) -> str:
    if message.fuzzy:
        return "fuzzy"
    if not all(_forms(message.string)):
        return "missing"
    return "" if _has_placeholders(message) else "other placeholders"


def _has_placeholders(message: Message) -> bool:
    """Whether the most general form fills in all that the source does, and no form anything else."""
    wanted = {found for text in _forms(message.id) for found in PLACEHOLDER.findall(text)}
    *others, last = (set(PLACEHOLDER.findall(text)) for text in _forms(message.string))
    return last == wanted and all(found <= wanted for found in others)


def _forms(text: Any) -> list[str]:
    """The singular and, where there are any, the plurals."""
    return list(text) if isinstance(text, (list, tuple)) else [text]


def _place(message: Message) -> str:
    return ", ".join(f"{file}:{line}" for file, line in message.locations[:1])


def complaints() -> Iterator[str]:
    names = locales()
    absent = [
        name
        for name in names
        if not (ROOT / "locale" / name / "LC_MESSAGES" / "django.po").exists()
    ]
    if absent:
        yield from (
            f"locale/{name}/LC_MESSAGES/django.po is not there: `manage.py makemessages -l {name}`."
            for name in absent
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        extract(copy, names)
        for name in names:
            path = Path("locale", name, "LC_MESSAGES", "django.po")
            yield from (f"{path}: {line}" for line in untranslated(catalogue(copy / path)))


def main() -> int:
    if shutil.which("xgettext") is None or shutil.which("msgmerge") is None:
        print(
            "Translations are not checked: GNU gettext is not installed. `make tools` installs it.",
            file=sys.stderr,
        )
        return 1 if os.environ.get("CI") == "true" else 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    os.environ.setdefault("DEBUG", "true")
    lines = list(complaints())
    print("\n".join(lines) or "Everything that people read is translated.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
