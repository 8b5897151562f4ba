"""Queue position and estimated wait of each waiting task, from recent rates."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from . import broker
from .models import Status, Task, task_models
from .models.rows import change_each

RECENT_TASKS = 20
# Positions beyond are rounded to tens: a moving queue must not cost a write for each task in it.
MAX_EXACT_POSITION = 10


def update_all() -> None:
    """Tell the owners of all READY tasks their position, if it has changed."""
    queue = sorted(
        (task for model in task_models() for task in model.objects.unfinished()),
        key=lambda task: task.created_at,
    )
    if all(task.status != Status.READY for task in queue):
        return
    news = _positions(queue, _workers(queue))
    for model in task_models():
        _notify(
            model,
            {task.pk: news[task.pk] for task in queue if type(task) is model and task.pk in news},
        )


def _workers(queue: Iterable[Task]) -> int:
    """Count the workers; at least those that hold a lease, should the broker have lost them."""
    running = sum(task.status == Status.RUNNING for task in queue)
    try:
        return max(running, broker.worker_count())
    except RedisError:
        return 0  # no job can be started


def _positions(queue: Sequence[Task], workers: int) -> dict[UUID, dict[str, Any]]:
    """Return `place`, `paused` and `wait` of each READY task.

    `wait` is the least and the most minutes until the task is done, from fast and slow rates; None
    if there is no recent rate for it or for a task before it.
    """
    rates = {model: recent_rates(model) for model in {type(task) for task in queue}}
    news = {}
    place, least, most = 0, 0.0, 0.0  # seconds of work ahead
    for task in queue:
        slow, fast = rates[type(task)]
        rows = max(0, task.rows_total - task.rows_done)
        longest = rows / slow if slow else math.inf
        shortest = rows / fast if fast else math.inf
        if task.status == Status.READY:
            place += 1
            news[task.pk] = {
                "place": rounded_position(place),
                "paused": workers == 0,
                "wait": _minutes(
                    least / max(1, workers) + shortest, most / max(1, workers) + longest
                ),
            }
        least, most = least + shortest, most + longest
    return news


def _minutes(least_seconds: float, most_seconds: float) -> list[int] | None:
    if math.isinf(most_seconds):
        return None
    return [int(least_seconds / 60), math.ceil(most_seconds / 60)]


def _notify(model: type[Task], news: dict[UUID, dict[str, Any]]) -> None:
    """Notify the owners for whom something has changed."""
    shown = model.last_notified(news)
    changed = [pk for pk, facts in news.items() if not shown.get(pk, {}).items() >= facts.items()]
    waiting = model.objects.filter(status=Status.READY, pk__in=changed)
    change_each(waiting, lambda task: task.notify_owner(**news[task.pk]))


def recent_rates(model: type[Task]) -> tuple[float, float]:
    """Return a slow and a fast rate in rows a second: quartiles of recent tasks, by rows.

    Zeros if there were none.
    """
    done = model.objects.filter(status=Status.SUCCESSFUL, rows_done__gt=0)
    rates = sorted(
        (task.rows_done / seconds, task.rows_done)
        for task in done.order_by("-created_at")[:RECENT_TASKS]
        if (seconds := task.duration.total_seconds() if task.duration else 0)
    )
    return _quantile(rates, 0.25), _quantile(rates, 0.75)


def _quantile(weighted: Sequence[tuple[float, int]], share: float) -> float:
    """Return the first value at which that share of all weight is reached; 0 without values."""
    total = sum(weight for _, weight in weighted)
    sums = accumulate(weight for _, weight in weighted)
    pairs = zip(weighted, sums, strict=True)
    return next((value for (value, _), reached in pairs if reached >= share * total), 0.0)


def rounded_position(place: int) -> int:
    return place if place <= MAX_EXACT_POSITION else round(place, -1)
