"""Mistakes in style sheets that browsers do not report."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

BASE = Path(settings.BASE_DIR)
# Names for scripts and tests, and classes of the admin's own pages.
WITHOUT_STYLE = """
    action-select closelink flex-container follow form-row pager pager-older post-hidden post-unfold
    posts recovery-codes request-options tasks timeline token-secret
"""
SHEETS = sorted((BASE / "static" / "css").glob("*.css"))


@pytest.fixture(params=SHEETS, ids=lambda sheet: sheet.name)
def css(request):
    return re.sub(r"/\*.*?\*/", "", request.param.read_text(), flags=re.DOTALL)


def test_css_rules_are_closed(css):
    """After a missing brace, browsers take the next rules for nested ones, without an error."""
    flat = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", css)
    assert re.sub(r"[^{}]+\{[^{}]*\}", "", flat).strip() == ""


def test_css_selectors_are_unique(css):
    everywhere = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", css)
    written = Counter(
        " ".join(selector.split()) for selector in re.findall(r"([^{}]+)\{", everywhere)
    )
    assert [selector for selector, times in written.items() if times > 1] == []


def test_classes_in_templates_have_a_style():
    sheets = [*SHEETS, *(BASE / "static" / "vendor").rglob("*.css")]
    styled = set(re.findall(r"\.([a-zA-Z][\w-]*)", "".join(sheet.read_text() for sheet in sheets)))
    used: dict[str, str] = {}
    for template in (BASE / "templates").rglob("*.html"):
        html = re.sub(r"\{[{%].*?[%}]\}", "|", template.read_text())
        for value in re.findall(r'class="([^"]*)"', html):
            names = [name.strip("|") for name in value.split()]
            used |= {name: template.name for name in names if re.fullmatch(r"[a-z][\w-]*\w", name)}
    allowed = styled | set(WITHOUT_STYLE.split())
    assert {name: template for name, template in used.items() if name not in allowed} == {}
