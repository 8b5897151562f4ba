"""Fields of the account pages, and where a session is from."""

import re
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.utils.translation import gettext as _

register = template.Library()

# The first that a browser's own description names: each also names those below it.
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrom": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone|iPad": "iOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@register.inclusion_tag("account/_field.html")
def field(bound: BoundField, label: str = "", hint: str = "") -> dict[str, Any]:
    """A form's field with label, hint and errors."""
    bound.help_text = hint or bound.help_text
    attrs = bound.field.widget.attrs
    attrs.pop("placeholder", None)
    is_check = isinstance(bound.field.widget, CheckboxInput)
    attrs["class"] = "form-check-input" if is_check else "form-control"
    return {"field": bound, "label": label or bound.label, "is_check": is_check}


@register.filter
def device(user_agent: str) -> str:
    """ "Firefox on Linux", as far as the browser says so."""
    browser = _first(BROWSERS, user_agent) or _("Unknown browser")
    if system := _first(SYSTEMS, user_agent):
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser


@register.filter
def grouped(secret: str) -> str:
    """In fours, so that it can be typed."""
    return " ".join(re.findall(".{1,4}", secret))


def _first(names: dict[str, str], text: str) -> str:
    return next((name for pattern, name in names.items() if re.search(pattern, text)), "")
