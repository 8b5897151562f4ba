"""The style sheets, as far as a browser would not say that they are wrong."""

import re
from pathlib import Path

import pytest
from django.conf import settings

SHEETS = sorted(Path(settings.BASE_DIR, "static", "css").glob("*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_each_rule_is_closed_before_the_next_begins(sheet):
    """A missing brace is no error: the rules after it then count as nested, and style nothing."""
    css = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    flat = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", css)
    assert re.sub(r"[^{}]+\{[^{}]*\}", "", flat).strip() == ""
