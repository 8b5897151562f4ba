"""What docs/ says of the source, as far as it can be held against it."""

import re

from dev.stack import ROOT

DOCS = ROOT / "docs"
VARIABLE = re.compile(r'env\.\w+\(\s*"(\w+)"')
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
# gunicorn's own, and one of the ANYMAIL_* that Anymail reads.
OF_OTHERS = {"WEB_CONCURRENCY", "ANYMAIL_WEBHOOK_SECRET"}
PLACE = re.compile(r"`((?:[\w/]+/)?test_\w+\.py)`|`(test_\w+)`")


def test_every_variable_is_documented_and_none_that_there_is_not():
    read = set(VARIABLE.findall((ROOT / "microblog" / "settings.py").read_text()))
    documented = ROW.findall((DOCS / "operations.md").read_text().partition("## Installation")[0])
    assert set(documented) == read | OF_OTHERS
    assert len(documented) == len(set(documented))


def test_every_test_that_a_promise_names_is_there():
    source, missing, named = "", [], 0
    for file, test in PLACE.findall((DOCS / "reliability.md").read_text()):
        if file:
            source = (ROOT / (file if "/" in file else f"exports/tests/{file}")).read_text()
        elif f"def {test}(" not in source:
            missing.append(test)
        named += bool(test)
    assert missing == []
    assert named > 50
