"""Goal 2: what a work-horse takes at most, by the number of posts, and what the naive export takes.

Real workers on a real broker: each job's process, forked as ever, notes its own peak before it ends (`ru_maxrss`, which
begins with what the worker had when it forked). "Without mail" is the same job for somebody whose address is not
confirmed, so that there is nobody to mail to.
"""

import json
import sys
from argparse import ArgumentParser
from itertools import cycle
from pathlib import Path
from typing import Any

from . import naive
from .goals import Goal
from .installation import Installation, installation, served
from .plots import figure

SIZES = (1000, 10_000, 50_000, 100_000, 1_000_000)
NAIVE_SIZES = SIZES[:-1]  # beyond, it takes gigabytes
MESSAGES = 4  # a quarter as many as posts
WITHOUT, ACCOUNT, WITH, NAIVE = (
    "without mail",
    "account, without mail",
    "with mail",
    "naive, with mail",
)


def run(
    sizes: tuple[int, ...] = SIZES, naive_sizes: tuple[int, ...] = NAIVE_SIZES
) -> dict[str, Any]:
    """Bytes at most, by who exports and what, and the number of posts."""
    with installation(*sizes) as bare, served(bare, "broker", "mail") as place:
        print("Exporting them, once without mail and once with ...", file=sys.stderr)
        return {
            WITHOUT: _peaks(place, sizes),
            ACCOUNT: _peaks(place, sizes[:3], "--account"),
            WITH: _peaks(place, sizes, "--confirm"),
            NAIVE: {size: naive.peak_memory(place, size) for size in naive_sizes},
        }


def goals(result: dict[str, Any]) -> list[Goal]:
    return [
        _goal("posts", result[WITHOUT]),
        _goal("posts and a quarter as many messages, whole account", result[ACCOUNT]),
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


def plot(result: dict[str, Any], folder: Path) -> None:
    with figure(folder / "memory.svg", "Memory of one export, at most", "posts", "MB") as axes:
        for name, style in ((NAIVE, "s--"), (WITH, "o-"), (WITHOUT, "^-")):
            sizes = sorted(result[name], key=int)
            axes.plot(
                [int(size) for size in sizes],
                [result[name][size] / 1e6 for size in sizes],
                style,
                label=name,
            )


def _peaks(place: Installation, sizes: tuple[int, ...], *options: str) -> dict[int, int]:
    jobs = json.loads(place.python("-m", "benchmarks.memory", *options, *map(str, sizes)))
    peaks = place.folder / "peaks"
    peaks.write_text("")
    worker = (
        "manage.py",
        "rqworker",
        "--burst",
        "--verbosity=0",
        "--worker-class=benchmarks.worker.Worker",
    )
    place.python(*worker, BENCHMARK_PEAKS=str(peaks), LOG_LEVEL="ERROR")
    return {jobs[job]: peak for job, peak in map(json.loads, peaks.read_text().splitlines())}


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
    from blog.management import demo_data as demo
    from blog.models import Conversation, Message, User

    others = [User.objects.create_user(f"{owner.username}-{n}") for n in range(10)]
    talks = [(Conversation.objects.get_or_create_between(owner, other), other) for other in others]
    texts = demo.generate_posts("partner", number, seed=1)
    Message.objects.bulk_create(
        (
            Message(
                conversation=talk,
                sender=other,
                recipient=owner,
                body=text.body,
                created_at=text.created_at,
            )
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
