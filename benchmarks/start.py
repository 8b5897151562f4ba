"""Goal 8: duration of `make demo` on an installed checkout, and of the start of a worker.

`python -m benchmarks.start` runs it.
"""

import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from dev.stack import ROOT, Stack

from .report import Goal

ROUNDS = 3
MAX_DEMO_SECONDS = 20
MAX_WORKER_SECONDS = 2


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the seconds of each round."""
    print(f"start: {rounds} rounds ...", file=sys.stderr)
    return {
        "worker": [_measure_worker() for _ in range(rounds + 2)],
        "demo": [_measure_demo() for _ in range(rounds)],
    }


def goals(result: dict[str, Any]) -> list[Goal]:
    demo, worker = median(result["demo"]), median(result["worker"])
    return [
        Goal(
            number=8,
            title="Duration of `make demo`, already installed",
            result=f"{demo:.1f} s",
            baseline="",
            target=f"under {MAX_DEMO_SECONDS} s",
            is_met=demo < MAX_DEMO_SECONDS,
        ),
        Goal(
            number=8,
            title="Start of `rqworker`, until it is ready",
            result=f"{worker:.1f} s",
            baseline="",
            target=f"under {MAX_WORKER_SECONDS} s",
            is_met=worker < MAX_WORKER_SECONDS,
        ),
    ]


def _measure_demo() -> float:
    """Return the seconds of `make demo`; the caller has installed the requirements."""
    start = time.perf_counter()
    command = ["make", "--silent", "demo"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _measure_worker() -> float:
    """Return the seconds from the command until RQ has registered the worker."""
    with (
        TemporaryDirectory(prefix="microblog-bench-") as folder,
        Stack(Path(folder), DEBUG="false") as stack,
    ):
        stack.start("broker")
        start = time.perf_counter()
        stack.start("worker")
        return time.perf_counter() - start


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="rounds of the demo (default: %(default)s)"
    )
    for goal in goals(run(parser.parse_args().rounds)):
        print(goal)


if __name__ == "__main__":
    main()
