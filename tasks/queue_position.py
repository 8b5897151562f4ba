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
# A moving queue must not cost a write for each task in it, so positions beyond are rounded to tens.
MAX_EXACT_POSITION = 10


def update_all() -> None:
    """Notify the owners of READY tasks whose position or estimated wait has changed."""
    queue = sorted(
        (task for model in task_models() for task in model.objects.unfinished()),
        key=lambda task: task.created_at,
    )
    if all(task.status != Status.READY for task in queue):
        return
    positions = _positions(queue, _count_workers(queue))
    for model in task_models():
        ids = {task.pk for task in queue if type(task) is model} & positions.keys()
        _notify_changed(model, {pk: positions[pk] for pk in ids})


def _count_workers(queue: Iterable[Task]) -> int:
    """Count the workers, including those that hold a lease but that the broker has lost."""
    running = sum(task.status == Status.RUNNING for task in queue)
    try:
        return max(running, broker.worker_count())
    except RedisError:
        return 0  # no job can be started


def _positions(queue: Sequence[Task], workers: int) -> dict[UUID, dict[str, Any]]:
    """Return `place`, `paused` and `wait` of each READY task.

    `wait` is the minimum and maximum of minutes until the task is done, from fast and slow rates;
    None if the task, or one before it, has no recent rate.
    """
    rates = {model: recent_rates(model) for model in {type(task) for task in queue}}
    positions = {}
    place, least, most = 0, 0.0, 0.0  # seconds of work ahead
    for task in queue:
        slow, fast = rates[type(task)]
        rows = max(0, task.rows_total - task.rows_done)
        longest = rows / slow if slow else math.inf
        shortest = rows / fast if fast else math.inf
        if task.status == Status.READY:
            place += 1
            positions[task.pk] = {
                "place": rounded_position(place),
                "paused": workers == 0,
                "wait": _minutes(
                    least / max(1, workers) + shortest, most / max(1, workers) + longest
                ),
            }
        least, most = least + shortest, most + longest
    return positions


def _minutes(least_seconds: float, most_seconds: float) -> list[int] | None:
    if math.isinf(most_seconds):
        return None
    return [int(least_seconds / 60), math.ceil(most_seconds / 60)]


def _notify_changed(model: type[Task], positions: dict[UUID, dict[str, Any]]) -> None:
    shown = model.last_notified(positions)
    changed = [
        pk
        for pk, position in positions.items()
        if not shown.get(pk, {}).items() >= position.items()
    ]
    waiting = model.objects.filter(status=Status.READY, pk__in=changed)
    change_each(waiting, lambda task: task.notify_owner(**positions[task.pk]))


def recent_rates(model: type[Task]) -> tuple[float, float]:
    """Return a slow and a fast rate in rows a second: quartiles of recent tasks, weighted by rows.

    Zeros without recent tasks.
    """
    done = model.objects.filter(status=Status.SUCCESSFUL, rows_done__gt=0)
    rates = sorted(
        (task.rows_done / seconds, task.rows_done)
        for task in done.order_by("-created_at")[:RECENT_TASKS]
        if (seconds := task.duration.total_seconds() if task.duration else 0)
    )
    return _quantile(rates, 0.25), _quantile(rates, 0.75)


def _quantile(weighted: Sequence[tuple[float, int]], share: float) -> float:
    """Return the weighted quantile at `share`; 0 without values."""
    total = sum(weight for _, weight in weighted)
    sums = accumulate(weight for _, weight in weighted)
    pairs = zip(weighted, sums, strict=True)
    return next((value for (value, _), reached in pairs if reached >= share * total), 0.0)


def rounded_position(place: int) -> int:
    return place if place <= MAX_EXACT_POSITION else round(place, -1)
