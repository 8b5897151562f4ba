"""Goal 2: what a work-horse takes at most, by the number of posts, and what the naive export takes.

Real workers on a real broker: each job's process, forked as ever, notes its own peak before it ends (`ru_maxrss`, which
begins with what the worker had when it forked). "Without mail" is the same job for somebody whose address is not
confirmed, so that there is nobody to mail to.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from dev.stack import Stack

from .goals import Goal
from .installation import Installation, installation

SIZES = (1000, 10_000, 50_000, 100_000, 1_000_000)
NAIVE_SIZES = SIZES[:-1]  # beyond, it takes gigabytes
NAIVE_TIMES = (1000, 10_000)  # and it takes a minute for each hundred thousand
MESSAGES = 4  # a quarter as many as posts


def run(sizes: tuple[int, ...] = SIZES, naive_sizes: tuple[int, ...] = NAIVE_SIZES) -> dict[str, Any]:
    """Bytes at most, by who exports and what, and the number of posts; and the naive export's seconds."""
    with installation(*sizes) as place, _stack(place) as stack:
        print(f"Exporting them, once without mail and once with, and naively {naive_sizes} ...", file=sys.stderr)
        there = Installation(place.folder, place.database_url, stack.env)
        return {
            "bytes": {
                "without mail": _peaks(there, stack, sizes),
                "account, without mail": _peaks(there, stack, sizes[:2], "--account"),
                "with mail": _peaks(there, stack, sizes, "--confirm"),
                "naive, with mail": {size: _naive_peak(there, size) for size in naive_sizes},
            },
            "naive_seconds": {size: _naive_seconds(there, size) for size in naive_sizes if size in NAIVE_TIMES},
        }


def goals(result: dict[str, Any]) -> list[Goal]:
    return [
        _goal("posts", result["bytes"]["without mail"]),
        _goal("posts and a quarter as many messages, whole account", result["bytes"]["account, without mail"]),
    ]


def _goal(what: str, peaks: dict[Any, int]) -> Goal:
    small, large = sorted(peaks, key=int)[:: len(peaks) - 1]
    ratio = peaks[large] / peaks[small]
    return Goal(
        2,
        f"Memory for {int(large):,} {what}",
        f"{ratio:.2f} ({peaks[large] / 1e6:.1f} MB)",
        f"for {int(small):,}: {peaks[small] / 1e6:.1f} MB",
        "at most 1.1",
        ratio <= 1.1,
    )


@contextmanager
def _stack(place: Installation) -> Iterator[Stack]:
    with Stack(place.folder, **place.variables, BENCHMARK_PEAKS=str(place.folder / "peaks")) as stack:
        stack.start("broker", "mail")
        yield stack


def _peaks(place: Installation, stack: Stack, sizes: tuple[int, ...], *options: str) -> dict[int, int]:
    jobs = json.loads(place.python("-m", "benchmarks.memory", *options, *map(str, sizes)))
    peaks = Path(stack.env["BENCHMARK_PEAKS"])
    peaks.write_text("")
    stack.run("rqworker", "--burst", "--worker-class", "benchmarks.worker.Worker")
    return {jobs[job]: peak for job, peak in map(json.loads, peaks.read_text().splitlines())}


def _naive_peak(place: Installation, size: int) -> int:
    return place.peak_memory("-m", "benchmarks.naive", str(size), "--every=100", "--mail")


def _naive_seconds(place: Installation, size: int) -> float:
    return float(place.python("-m", "benchmarks.naive", str(size)))


def _enqueue(sizes: list[int], kind: str, *, is_confirmed: bool) -> dict[str, int]:
    """Ask for the archives of those with so many posts; the numbers by job."""
    from blog.models import User
    from exports import jobs
    from exports.models import ExportTask

    numbers = {}
    for size in sizes:
        owner = User.objects.get(username=f"posts{size}")
        if is_confirmed:
            owner.confirm_email()
        if kind == "account":
            _converse(owner, size // MESSAGES)
        task = ExportTask.objects.request(owner.pk, kind)[0]
        jobs.enqueue_export(task)
        numbers[task.job_id] = size
    return numbers


def _converse(owner: Any, number: int) -> None:
    """Let the owner and ten others write so many messages to each other, in turns."""
    from blog import demo
    from blog.models import Conversation, Message, User

    others = [User.objects.create_user(f"{owner.username}-{n}") for n in range(10)]
    talks = [(Conversation.objects.between(owner, other), other) for other in others]
    texts = demo.texts("partner", number, seed=1)
    Message.objects.bulk_create(
        (
            Message(conversation=talk, sender=other, recipient=owner, body=text.body, created_at=text.created_at)
            for text, (talk, other) in zip(texts, cycle(talks), strict=False)
        ),
        batch_size=1000,
    )


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--account", action="store_true")
    parser.add_argument("--confirm", action="store_true")
    options = parser.parse_args()
    import django

    django.setup()
    kind = "account" if options.account else "posts"
    print(json.dumps(_enqueue(options.sizes, kind, is_confirmed=options.confirm)))
