"""Template tags for scripts and style sheets, with hashes (Subresource Integrity)."""

import base64
import hashlib
import re
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
    """Names of the imported modules, in the same folder."""


@register.simple_tag
def style(name: str) -> SafeString:
    integrity = read_asset(asset_path(name)).integrity
    return format_html('<link rel="stylesheet" href="{}" integrity="{}">', static(name), integrity)


@register.simple_tag
def script(name: str) -> SafeString:
    """Render a module script, and preloads of the modules that it imports.

    An `import` statement cannot carry a hash, and the CSP forbids an inline import map.
    """
    url, path = static(name), asset_path(name)
    integrity, imports = read_asset(path)
    folder = url.rpartition("/")[0]
    preloads = format_html_join(
        "",
        '<link rel="modulepreload" href="{}/{}" integrity="{}">',
        ((folder, module, read_asset(path.with_name(module)).integrity) for module in imports),
    )
    return preloads + format_html(
        '<script type="module" src="{}" integrity="{}"></script>', url, integrity
    )


def asset_path(name: str) -> Path:
    """Return the file that browsers get: collected by `collectstatic`, or the source file.

    Raises ValueError if there is no such file.
    """
    if settings.STATIC_COLLECTED:
        return Path(staticfiles_storage.path(static(name).removeprefix(settings.STATIC_URL)))
    found = finders.find(name)
    if found is None:
        raise ValueError(f"No static file {name}.")
    return Path(found)


def read_asset(path: Path) -> Asset:
    return _cached_asset(path, path.stat().st_mtime_ns)


@lru_cache
def _cached_asset(path: Path, _modified_at: int) -> Asset:
    content = path.read_bytes()
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"
    return Asset(integrity, IMPORT.findall(content.decode()) if path.suffix == ".js" else [])
