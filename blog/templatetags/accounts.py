"""Template tags and filters of the account pages."""

import re
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.utils.translation import gettext as _

register = template.Library()

# Ordered: the user agent of a browser also names the browsers below it in this list.
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
    bound.help_text = hint or bound.help_text
    attrs = bound.field.widget.attrs
    attrs.pop("placeholder", None)
    is_check = isinstance(bound.field.widget, CheckboxInput)
    attrs["class"] = "form-check-input" if is_check else "form-control"
    return {"field": bound, "label": label or bound.label, "is_check": is_check}


@register.filter
def device(user_agent: str) -> str:
    """Return "Firefox on Linux", or as much of it as the user agent tells."""
    browser = _first_match(BROWSERS, user_agent) or _("Unknown browser")
    if system := _first_match(SYSTEMS, user_agent):
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser


@register.filter
def in_groups_of_four(secret: str) -> str:
    return " ".join(re.findall(".{1,4}", secret))


def _first_match(names: dict[str, str], text: str) -> str:
    return next((name for pattern, name in names.items() if re.search(pattern, text)), "")
