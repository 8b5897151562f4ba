"""What those who wait are told: their place in line, and how long it may take, judged by what went before."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import django_rq
from redis.exceptions import RedisError
from rq import Worker
from rq.worker import BaseWorker

from blog.models import Notification

from .models import ExportTask, Status
from .models.rows import one_by_one

RECENT = 20  # builds that an estimate is judged by
EXACT_PLACES = (
    10  # beyond it places are told in tens: a line that moves must not cost a write for each in it
)


def tell() -> None:
    """Bring the news of all READY tasks up to date."""
    unfinished = ExportTask.objects.unfinished().order_by("created_at")
    line = list(unfinished.values_list("pk", "status", "rows_total", "rows_done"))
    if all(status != Status.READY for _, status, _, _ in line):
        return
    try:
        workers = worker_count()
    except RedisError:
        workers = 0  # none that can be told to begin
    slow, fast = rates()
    ahead = sum(max(0, total - done) for _, status, total, done in line if status == Status.RUNNING)
    place, news = 0, {}
    for pk, status, total, _ in line:
        if status == Status.READY:
            place += 1
            rows = ahead / max(1, workers) + total
            news[pk] = {
                "place": rounded(place),
                "paused": workers == 0,
                "wait": [int(rows / fast / 60), math.ceil(rows / slow / 60)] if slow else None,
            }
            ahead += total
    _announce(news)


def _announce(news: dict[Any, dict[str, Any]]) -> None:
    names = {f"export:{pk}": pk for pk in news}
    owners = ExportTask.objects.filter(pk__in=news).values("owner")  # the index begins with them
    told = Notification.objects.filter(user__in=owners, name__in=names).values_list(
        "name", "payload"
    )
    same = {names[name] for name, payload in told if payload.items() >= news[names[name]].items()}
    for task in one_by_one(
        ExportTask.objects.filter(status=Status.READY, pk__in=news.keys() - same)
    ):
        task.announce(**news[task.pk])


def worker_count(heard_within: float = math.inf) -> int:
    """Workers that were heard from within their time to live, or within so many seconds.

    RedisError if the broker is away.
    """
    workers = Worker.all(queue=django_rq.get_queue("default"))
    return sum(_silence(worker) <= heard_within for worker in workers)


def _silence(worker: BaseWorker) -> float:
    """Seconds since its last heartbeat, by this machine's clock and its own."""
    if worker.last_heartbeat is None:
        return math.inf
    return (datetime.now(UTC) - worker.last_heartbeat.replace(tzinfo=UTC)).total_seconds()


def rates() -> tuple[float, float]:
    """A slow and a fast rate, in rows a second, of recent builds: quartiles by rows; zeros where there were none."""
    done = ExportTask.objects.filter(status=Status.SUCCESSFUL, rows_done__gt=0).order_by(
        "-created_at"
    )[:RECENT]
    seen = sorted(
        (task.rows_done / seconds, task.rows_done) for task in done if (seconds := _seconds(task))
    )
    return _quantile(seen, 0.25), _quantile(seen, 0.75)


def _seconds(task: ExportTask) -> float:
    return task.duration.total_seconds() if task.duration else 0.0


def _quantile(weighted: Sequence[tuple[float, int]], share: float) -> float:
    """The first value at which that share of all weight is reached; 0 where there is nothing."""
    total = sum(weight for _, weight in weighted)
    reached = accumulate(weight for _, weight in weighted)
    return next(
        (
            value
            for (value, _), sum_ in zip(weighted, reached, strict=True)
            if sum_ >= share * total
        ),
        0.0,
    )


def rounded(place: int) -> int:
    return place if place <= EXACT_PLACES else round(place, -1)
