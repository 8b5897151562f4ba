"""The style sheets, as far as a browser would not say that they are wrong."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

SHEETS = sorted(Path(settings.BASE_DIR, "static", "css").glob("*.css"))


@pytest.fixture(params=SHEETS, ids=lambda sheet: sheet.name)
def css(request):
    return re.sub(r"/\*.*?\*/", "", request.param.read_text(), flags=re.DOTALL)


def test_each_rule_is_closed_before_the_next_begins(css):
    """A missing brace is no error: the rules after it then count as nested, and style nothing."""
    flat = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", css)
    assert re.sub(r"[^{}]+\{[^{}]*\}", "", flat).strip() == ""


def test_no_rule_is_written_twice(css):
    everywhere = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", css)
    written = Counter(
        " ".join(selector.split()) for selector in re.findall(r"([^{}]+)\{", everywhere)
    )
    assert [selector for selector, times in written.items() if times > 1] == []
