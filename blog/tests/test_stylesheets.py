"""Mistakes in style sheets that browsers do not report."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

SHEETS = sorted(Path(settings.BASE_DIR, "static", "css").glob("*.css"))


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
