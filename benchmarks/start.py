"""How long a developer waits for the demo, when all is installed, and an operator for a worker.

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

from .goals import Goal

ROUNDS = 3
DEMO_SECONDS = 20
WORKER_SECONDS = 2


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Seconds of each round."""
    print(f"start: {rounds} times ...", file=sys.stderr)
    return {
        "worker": [_worker() for _ in range(rounds + 2)],
        "demo": [_demo() for _ in range(rounds)],
    }


def goals(result: dict[str, Any]) -> list[Goal]:
    demo, worker = median(result["demo"]), median(result["worker"])
    return [
        Goal(
            8,
            "`make demo`, again",
            f"{demo:.1f} s",
            "",
            f"under {DEMO_SECONDS} s",
            demo < DEMO_SECONDS,
        ),
        Goal(
            8,
            "`rqworker`, ready",
            f"{worker:.1f} s",
            "",
            f"under {WORKER_SECONDS} s",
            worker < WORKER_SECONDS,
        ),
    ]


def _demo() -> float:
    """`make demo` as a whole, with its export; the first time, which installs, is the caller's."""
    began = time.perf_counter()
    command = ["make", "--silent", "demo"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _worker() -> float:
    """From the command to the worker's name in RQ's register."""
    with (
        TemporaryDirectory(prefix="microblog-bench-") as folder,
        Stack(Path(folder), DEBUG="false") as stack,
    ):
        stack.start("broker")
        began = time.perf_counter()
        stack.start("worker")
        return time.perf_counter() - began


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of the demo ({ROUNDS})")
    for goal in goals(run(parser.parse_args().rounds)):
        print(goal)


if __name__ == "__main__":
    main()
