"""Our own scripts and style sheets, each with the hash that browsers hold it against."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

IMPORT = re.compile(r"""^import\b.*["']\./([\w.-]+)["'];$""", re.MULTILINE)


class Asset(NamedTuple):
    integrity: str
    imports: list[str]
    """The names of the modules that it imports, all of which lie beside it."""


@register.simple_tag
def style(name: str) -> SafeString:
    return _tag(_style, name)


@register.simple_tag
def script(name: str) -> SafeString:
    """A module, after those that it imports: an `import` has no place for a hash, and an import map would be inline."""
    return _tag(_script, name)


def _tag(make: Callable[[str], SafeString], name: str) -> SafeString:
    """Made once of each collected file: the hash in its URL says what is in it."""
    return _made_once(make, name, static(name)) if settings.STATIC_COLLECTED else make(name)


@lru_cache
def _made_once(make: Callable[[str], SafeString], name: str, _url: str) -> SafeString:
    return make(name)


def _style(name: str) -> SafeString:
    return format_html(
        '<link rel="stylesheet" href="{}" integrity="{}">',
        static(name),
        asset(served(name)).integrity,
    )


def _script(name: str) -> SafeString:
    url, path = static(name), served(name)
    integrity, imports = asset(path)
    folder = url.rpartition("/")[0]
    preload = '<link rel="modulepreload" href="{}/{}" integrity="{}">'
    preloads = format_html_join(
        "", preload, ((folder, part, asset(path.with_name(part)).integrity) for part in imports)
    )
    return preloads + format_html(
        '<script type="module" src="{}" integrity="{}"></script>', url, integrity
    )


def served(name: str) -> Path:
    """The file that browsers are sent: one of those that `collectstatic` made, or as it lies in the source."""
    if settings.STATIC_COLLECTED:
        return Path(staticfiles_storage.path(static(name).removeprefix(settings.STATIC_URL)))
    found = finders.find(name)
    if found is None:
        raise ValueError(f"There is no static file {name}.")
    return Path(found)


def asset(path: Path) -> Asset:
    return _read(path, path.stat().st_mtime_ns)


@lru_cache
def _read(path: Path, changed_at: int) -> Asset:
    content = path.read_bytes()
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"
    return Asset(integrity, IMPORT.findall(content.decode()) if path.suffix == ".js" else [])
