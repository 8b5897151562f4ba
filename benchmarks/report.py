"""Goals, and the measured part of docs/performance.md between two markers."""

import os
import platform
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .installation import BASE_DIR, postgresql_version

DOCUMENT = BASE_DIR / "docs" / "performance.md"
PLOTS = BASE_DIR / "docs" / "performance"
BEGIN, END = "<!-- measured by `make bench` -->", "<!-- end of what is measured -->"
GOAL_HEADINGS = ("#", "measurement", "result", "compared with", "goal", "status")
ROW_HEADINGS = ("comparison", "result", "compared with", "ratio")


@dataclass(frozen=True)
class Goal:
    """Row of the goal table; `result`, `baseline` and `target` are texts with units.

    `baseline` is what the same work costs without Microblog, or empty.
    """

    number: int
    title: str
    result: str
    baseline: str
    target: str
    is_met: bool


def goal_cells(goal: Goal) -> tuple[str, ...]:
    return (
        str(goal.number),
        goal.title,
        goal.result,
        goal.baseline,
        goal.target,
        "met" if goal.is_met else "not met",
    )


def write(
    goals: Iterable[Goal],
    rows: Iterable[Sequence[str]],
    table: Sequence[Sequence[str]],
    path: Path = DOCUMENT,
) -> None:
    """Replace the measured part of the document."""
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    tables = [
        _markdown_table([GOAL_HEADINGS, *map(goal_cells, goals)]),
        _markdown_table([ROW_HEADINGS, *rows]),
        _markdown_table(table),
    ]
    path.write_text("\n\n".join([before + BEGIN, machine(), *tables, END + after]))


def machine() -> str:
    """Return the type of machine and the versions, without anything that identifies the machine."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, PostgreSQL {postgresql_version()}."
    )


def _processor() -> str:
    try:
        model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        model = None
    return model[1] if model else platform.processor() or platform.machine()


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    headings, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([headings, "|---" * len(rows[0]) + "|", *others])
