"""Comparison of docs/ with the source: environment variables, files and tests that it names."""

import re
from pathlib import Path

import pytest

from dev.stack import ROOT

DOCS = ROOT / "docs"
READ_VARIABLE = re.compile(r'env\.\w+\(\s*"(\w+)"')
TABLE_ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
# WEB_CONCURRENCY is read by gunicorn, ANYMAIL_WEBHOOK_SECRET by Anymail.
VARIABLES_OF_LIBRARIES = {"WEB_CONCURRENCY", "ANYMAIL_WEBHOOK_SECRET"}
FILE_REFERENCE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|html|sh|js|yml))`")
TEST_REFERENCE = re.compile(r"`((?:[\w/]+/)?test_\w+\.py)`|`(test_\w+)`")
TEST_FUNCTION = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
MIN_TESTS_IN_RELIABILITY = 50
MIN_FILES_IN_GUIDE = 100
DOCUMENTS = sorted(DOCS.glob("*.md"))


def test_documented_variables_are_those_read():
    read = set(READ_VARIABLE.findall((ROOT / "microblog" / "settings.py").read_text()))
    configuration = (DOCS / "operations.md").read_text().partition("## Installation")[0]
    documented = TABLE_ROW.findall(configuration)
    assert set(documented) == read | VARIABLES_OF_LIBRARIES
    assert len(documented) == len(set(documented))


@pytest.fixture(scope="module")
def source_files() -> list[str]:
    """Return the paths of all source files, each after a slash."""
    no_source = {"var", "staticfiles", "node_modules"}
    folders = [
        path
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in no_source
    ]
    files = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*.*"))]
    return [f"/{path.relative_to(ROOT).as_posix()}" for path in files]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document, source_files):
    names = FILE_REFERENCE.findall(document.read_text())
    missing = [
        name for name in names if not any(path.endswith(f"/{name}") for path in source_files)
    ]
    assert missing == []


def test_development_guide_names_its_files():
    assert len(FILE_REFERENCE.findall((DOCS / "development.md").read_text())) > MIN_FILES_IN_GUIDE


@pytest.fixture(scope="module")
def tests_by_file() -> dict[str, set[str]]:
    """Return the test functions of each test file, by its path in the repository."""
    return {
        path.relative_to(ROOT).as_posix(): set(TEST_FUNCTION.findall(path.read_text()))
        for pattern in ("tests/**/test_*.py", "*/tests/**/test_*.py")
        for path in ROOT.glob(pattern)
    }


def problems(document: Path, tests_by_file: dict[str, set[str]]) -> list[str]:
    """Return a line for each test file or function that `document` names and that does not exist.

    A file is named by its path or by the end of it. A function belongs to the file named last
    before it, or to any file if there is none.
    """
    lines = []
    functions = set().union(*tests_by_file.values())
    place = "any test file"
    for number, line in enumerate(document.read_text().splitlines(), 1):
        for file, function in TEST_REFERENCE.findall(line):
            if file:
                place = file
                matches = [path for path in tests_by_file if f"/{path}".endswith(f"/{file}")]
                functions = set().union(*(tests_by_file[path] for path in matches))
                if not matches:
                    lines.append(f"{document.name}:{number}: no file {file}")
            elif function not in functions:
                lines.append(f"{document.name}:{number}: no test {function} in {place}")
    return lines


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_tests_exist(document, tests_by_file):
    assert problems(document, tests_by_file) == []


def test_reliability_names_its_tests():
    references = TEST_REFERENCE.findall((DOCS / "reliability.md").read_text())
    functions = [function for _, function in references if function]
    assert len(functions) > MIN_TESTS_IN_RELIABILITY


def test_missing_tests_are_reported(tmp_path):
    tests_by_file = {"blog/tests/test_post.py": {"test_known"}, "api/tests/test_api.py": set()}
    document = tmp_path / "guide.md"
    document.write_text(
        "`test_post.py`: `test_known`, `test_gone`.\n`test_moved.py`, `tests/test_api.py`"
    )
    assert problems(document, tests_by_file) == [
        "guide.md:1: no test test_gone in test_post.py",
        "guide.md:2: no file test_moved.py",
    ]
