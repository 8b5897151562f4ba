"""Goal 2: peak memory of a work-horse by number of posts, compared with the naive export.

Real workers on a real broker: each work-horse records its own peak at its end (`ru_maxrss`, which
includes what the worker had loaded when it forked). "Without mail" is the same job for an owner
without a confirmed address.
"""

import json
import sys
from argparse import ArgumentParser
from itertools import cycle
from pathlib import Path
from typing import Any

from . import naive_export
from .installation import Installation, installation, with_services
from .plots import figure
from .report import Goal

SIZES = (1000, 10_000, 50_000, 100_000, 1_000_000)
NAIVE_SIZES = SIZES[:-1]  # more posts take gigabytes
POSTS_PER_MESSAGE = 4
CONVERSATIONS = 10
MAX_RATIO = 1.1
WITHOUT_MAIL = "without mail"
ACCOUNT_WITHOUT_MAIL = "account, without mail"
WITH_MAIL = "with mail"
NAIVE = "naive, with mail"


def run(
    sizes: tuple[int, ...] = SIZES, naive_sizes: tuple[int, ...] = NAIVE_SIZES
) -> dict[str, Any]:
    """Return the peak memory in bytes by case and number of posts."""
    with installation(*sizes) as bare, with_services(bare, "broker", "mail") as place:
        print("Exporting without and with mail ...", file=sys.stderr)
        return {
            WITHOUT_MAIL: _measure_peaks(place, sizes),
            ACCOUNT_WITHOUT_MAIL: _measure_peaks(place, sizes[:3], "--account"),
            WITH_MAIL: _measure_peaks(place, sizes, "--confirm"),
            NAIVE: {size: naive_export.measure_peak_memory(place, size) for size in naive_sizes},
        }


def goals(result: dict[str, Any]) -> list[Goal]:
    return [
        _goal("posts", result[WITHOUT_MAIL]),
        _goal("posts and a quarter as many messages, whole account", result[ACCOUNT_WITHOUT_MAIL]),
    ]


def _goal(content: str, peaks: dict[Any, int]) -> Goal:
    small, large = sorted(peaks, key=int)[:: len(peaks) - 1]
    ratio = peaks[large] / peaks[small]
    return Goal(
        number=2,
        title=f"Memory for {int(large):,} {content}",
        result=f"{ratio:.2f} ({peaks[large] / 1e6:.1f} MB)",
        baseline=f"{int(small):,}: {peaks[small] / 1e6:.1f} MB",
        target=f"at most {MAX_RATIO}",
        is_met=ratio <= MAX_RATIO,
    )


def plot(result: dict[str, Any], folder: Path) -> None:
    with figure(
        folder / "memory.svg", title="Peak memory of one export", x="posts", y="MB"
    ) as axes:
        for name, style in ((NAIVE, "s--"), (WITH_MAIL, "o-"), (WITHOUT_MAIL, "^-")):
            sizes = sorted(result[name], key=int)
            axes.plot(
                [int(size) for size in sizes],
                [result[name][size] / 1e6 for size in sizes],
                style,
                label=name,
            )


def _measure_peaks(place: Installation, sizes: tuple[int, ...], *options: str) -> dict[int, int]:
    size_of_job = json.loads(place.python("-m", "benchmarks.memory", *options, *map(str, sizes)))
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
    return {size_of_job[job]: peak for job, peak in map(json.loads, peaks.read_text().splitlines())}


def _enqueue(sizes: list[int], kind: str, *, is_confirmed: bool) -> dict[str, int]:
    """Request the exports of the authors with these sizes, and return the sizes by job id."""
    from blog.models import User
    from exports.models import ExportTask
    from tasks import jobs

    size_of_job = {}
    for size in sizes:
        owner = User.objects.get(username=f"posts{size}")
        if is_confirmed:
            owner.confirm_email()
        if kind == "account":
            _create_messages(owner, size // POSTS_PER_MESSAGE)
        task = ExportTask.objects.request(owner, kind)[0]
        jobs.enqueue_task(task)
        size_of_job[task.job_id] = size
    return size_of_job


def _create_messages(owner: Any, number: int) -> None:
    """Create `number` messages to the owner, spread over several conversations."""
    from blog.management import demo_data as demo
    from blog.models import Conversation, Message, User

    others = [User.objects.create_user(f"{owner.username}-{n}") for n in range(CONVERSATIONS)]
    conversations = [
        (Conversation.objects.get_or_create_between(owner, other), other) for other in others
    ]
    texts = demo.generate_posts("partner", number, seed=1)
    Message.objects.bulk_create(
        (
            Message(
                conversation=conversation,
                sender=other,
                recipient=owner,
                body=text.body,
                created_at=text.created_at,
            )
            for text, (conversation, other) in zip(texts, cycle(conversations), strict=False)
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
