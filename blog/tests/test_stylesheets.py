"""The style sheets, as a browser would read them."""

import re
from collections import Counter

import pytest
from django.conf import settings

SHEETS = sorted((settings.BASE_DIR / "static/css").glob("*.css"))


def selectors(css: str) -> list[str]:
    """Of the rules in it; those within another, as in an @media, with the outer one before them."""
    found, outer = [], []
    for before, brace in re.findall(r"([^{};]*)([{};])", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        if brace == "{":
            outer.append(" ".join(before.split()))
            found.append(" / ".join(outer))
        elif brace == "}":
            outer.pop()
    assert not outer, f"never closed: {outer}"
    return found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_rule_stands_by_itself(sheet):
    nested = [selector for selector in selectors(sheet.read_text()) if " / " in selector]

    assert [selector for selector in nested if not selector.startswith("@")] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_no_rule_is_written_twice(sheet):
    written = Counter(
        selector for selector in selectors(sheet.read_text()) if selector[0] != "@" and " / " not in selector
    )

    assert [selector for selector, times in written.items() if times > 1] == []
