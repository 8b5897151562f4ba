"""`python -m benchmarks`: all benchmarks, as a table of ratios; every number goes to var/bench/ as JSON."""

import json
from argparse import ArgumentParser

from . import account_archive, export_build, timeline
from .installation import BASE_DIR

RESULTS = BASE_DIR / "var" / "bench"
HEADINGS = ("benchmark", "this", "that", "ratio")


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--posts", type=int, default=300_000, help="posts in the large account (300000)")
    parser.add_argument("--timeline-posts", type=int, default=1_000_000, help="posts on the whole site (1000000)")
    options = parser.parse_args()
    build, account = export_build.run(options.posts), account_archive.run()
    pages = timeline.run(options.timeline_posts)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, result in (("export_build", build), ("account_archive", account), ("timeline", pages)):
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    _print_table([HEADINGS, *export_build.rows(build), *account_archive.rows(account), *timeline.rows(pages)])


def _print_table(rows: list[tuple[str, str, str, str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print(first.ljust(widths[0]), *cells, sep="  ")


if __name__ == "__main__":
    main()
