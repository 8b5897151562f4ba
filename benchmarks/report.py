"""The part of docs/performance.md that is measured, between two markers; the rest is written by hand."""

import os
import platform
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from .goals import Goal
from .installation import BASE_DIR, postgresql_version

PAGE = BASE_DIR / "docs" / "performance.md"
PLOTS = BASE_DIR / "docs" / "performance"
BEGIN, END = "<!-- measured by `make bench` -->", "<!-- end of what is measured -->"
GOAL_HEADINGS = ("#", "what", "figure", "beside", "goal", "")
ROW_HEADINGS = ("besides", "this", "that", "ratio")


def write(
    goals: Iterable[Goal],
    rows: Iterable[Sequence[str]],
    table: Sequence[Sequence[str]],
    path: Path = PAGE,
) -> None:
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    tables = [
        _table([GOAL_HEADINGS, *map(cells, goals)]),
        _table([ROW_HEADINGS, *rows]),
        _table(table),
    ]
    path.write_text("\n\n".join([before + BEGIN, machine(), *tables, END + after]))


def cells(goal: Goal) -> tuple[str, ...]:
    return (
        str(goal.number),
        goal.what,
        goal.figure,
        goal.raw,
        goal.bar,
        "met" if goal.is_met else "not met",
    )


def machine() -> str:
    """What it was measured on; nothing that tells which machine."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, PostgreSQL {postgresql_version()}."
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _table(rows: Sequence[Sequence[str]]) -> str:
    heading, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([heading, "|---" * len(rows[0]) + "|", *others])
