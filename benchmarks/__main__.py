"""`python -m benchmarks`: measure every goal and report whether it is met.

All results are saved to var/bench/ as JSON, tables and plots to docs/performance.md. Benchmarks
named on the command line run alone and leave the document unchanged.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from time import monotonic
from typing import Any

from . import report
from .installation import BASE_DIR
from .report import Goal

# Each module has `run() -> dict`, and optionally `goals(result)`, `rows(result)` for comparisons
# without a goal, `table(result)` with its own headings, and `plot(result, folder)`.
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
        help="write docs/performance.md from the saved results without measuring",
    )
    options = parser.parse_args()
    names = options.names or NAMES
    get_result = _load_result if options.page else _measure
    results = {name: get_result(name) for name in names}
    goals = sorted(_collect("goals", results), key=_goal_number)
    rows, table = _collect("rows", results), _collect("table", results)
    if not options.names:
        report.PLOTS.mkdir(exist_ok=True)
        for name, result in results.items():
            if plot := getattr(_module(name), "plot", None):
                plot(result, report.PLOTS)
        report.write(goals, rows, table)
    _print_table([report.GOAL_HEADINGS, *map(report.goal_cells, goals)])
    _print_table([report.ROW_HEADINGS, *rows])
    _print_table(table)
    print(f"\n{sum(goal.is_met for goal in goals)} of {len(goals)} goals are met.")


def _measure(name: str) -> dict[str, Any]:
    """Run a benchmark, save its result, and return it as read back from JSON."""
    print(f"--- {name}", file=sys.stderr)
    start = monotonic()
    text = json.dumps(_module(name).run(), indent=2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(f"--- {name}: {monotonic() - start:.0f} s", file=sys.stderr)
    return _load_result(name)


def _load_result(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result


def _collect(function: str, results: dict[str, Any]) -> list[Any]:
    """Concatenate what `function` of each module returns for its result."""
    collected: list[Goal | Sequence[str]] = []
    for name, result in results.items():
        if collect := getattr(_module(name), function, None):
            collected += collect(result)
    return collected


def _goal_number(goal: Goal) -> int:
    return goal.number


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
