"""`python -m benchmarks`: every goal with its figure, and whether it is met.

Every number goes to var/bench/ as JSON, table and plots to docs/performance.md. Benchmarks that are named run alone,
and change no page.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from time import monotonic
from typing import Any

from . import page
from .goals import Goal
from .installation import BASE_DIR

# Each has `run() -> dict` and may have `goals(result)`, `rows(result)` (what has no goal),
# `table(result)` (with headings of its own), and `plot(result, folder)`.
NAMES = ("build", "memory", "packing", "mail", "timeline", "queue_drain", "pages", "start")
RESULTS = BASE_DIR / "var" / "bench"


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="measure nothing: write the page from what var/bench/ has",
    )
    options = parser.parse_args()
    names = options.names or NAMES
    measure = _read if options.page else _run
    results = {name: measure(name) for name in names}
    goals, rows, table = (_said(what, results) for what in ("goals", "rows", "table"))
    if not options.names:
        page.PLOTS.mkdir(exist_ok=True)
        for name, result in results.items():
            if plot := getattr(_module(name), "plot", None):
                plot(result, page.PLOTS)
        page.write(goals, rows, table)
    _print_table([page.GOAL_HEADINGS, *map(page.cells, goals)])
    _print_table([page.ROW_HEADINGS, *rows])
    _print_table(table)
    print(f"\n{sum(goal.is_met for goal in goals)} of {len(goals)} goals are met.")


def _run(name: str) -> dict[str, Any]:
    """What it measured, as JSON has it."""
    print(f"--- {name}", file=sys.stderr)
    begin = monotonic()
    text = json.dumps(_module(name).run(), indent=2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(f"--- {name}: {monotonic() - begin:.0f} s", file=sys.stderr)
    result: dict[str, Any] = json.loads(text)
    return result


def _read(name: str) -> dict[str, Any]:
    """What it measured the last time."""
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result


def _said(what: str, results: dict[str, Any]) -> list[Any]:
    found: list[Goal | Sequence[str]] = []
    for name, result in results.items():
        if say := getattr(_module(name), what, None):
            found += say(result)
    return sorted(found, key=lambda goal: goal.number) if what == "goals" else found


def _module(name: str) -> Any:
    return import_module(f"{__package__}.{name}")


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print()
        for row in rows:
            print(*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), sep="  ")


if __name__ == "__main__":
    main()
