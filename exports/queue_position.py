"""Queue position and estimated wait, from recent build rates."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

import django_rq
from redis.exceptions import RedisError
from rq import Worker
from rq.worker import BaseWorker

from blog.models import Notification

from .models import ExportTask, Status
from .models.concurrency import each_locked

RECENT_BUILDS = 20
# Later positions are rounded to tens, so that a moving queue does not cost a write per task.
MAX_EXACT_POSITION = 10


def update_all() -> None:
    unfinished = ExportTask.objects.unfinished().order_by("created_at")
    queue = list(unfinished.values_list("pk", "status", "rows_total", "rows_done"))
    if all(status != Status.READY for _, status, _, _ in queue):
        return
    try:
        workers = worker_count()
    except RedisError:
        workers = 0  # shown as paused: no worker can get a job
    slow, fast = build_rates()
    rows_ahead = sum(
        max(0, total - done) for _, status, total, done in queue if status == Status.RUNNING
    )
    position, payloads = 0, {}
    for pk, status, total, _ in queue:
        if status == Status.READY:
            position += 1
            rows = rows_ahead / max(1, workers) + total
            payloads[pk] = {
                "place": rounded_position(position),
                "paused": workers == 0,
                "wait": [int(rows / fast / 60), math.ceil(rows / slow / 60)] if slow else None,
            }
            rows_ahead += total
    _notify_changed(payloads)


def _notify_changed(payloads: dict[UUID, dict[str, Any]]) -> None:
    """Notify the owners of those tasks whose payload is not already in their notification."""
    names = {f"export:{pk}": pk for pk in payloads}
    # The index of notifications begins with the user.
    owners = ExportTask.objects.filter(pk__in=payloads).values("owner")
    rows = Notification.objects.filter(user__in=owners, name__in=names)
    unchanged = {
        names[name]
        for name, payload in rows.values_list("name", "payload")
        if payload.items() >= payloads[names[name]].items()
    }
    changed = payloads.keys() - unchanged
    for task in each_locked(ExportTask.objects.filter(status=Status.READY, pk__in=changed)):
        task.notify_owner(**payloads[task.pk])


def worker_count(heartbeat_within: float = math.inf) -> int:
    """Count the workers that RQ knows, with a heartbeat in the last `heartbeat_within` seconds.

    Raise RedisError if the broker is down.
    """
    workers = Worker.all(queue=django_rq.get_queue("default"))
    return sum(_heartbeat_age_seconds(worker) <= heartbeat_within for worker in workers)


def _heartbeat_age_seconds(worker: BaseWorker) -> float:
    if worker.last_heartbeat is None:
        return math.inf
    return (datetime.now(UTC) - worker.last_heartbeat.replace(tzinfo=UTC)).total_seconds()


def build_rates() -> tuple[float, float]:
    """Return a slow and a fast build rate in rows a second; zeros without recent builds.

    The rates are the quartiles of recent builds, weighted by their rows.
    """
    tasks = ExportTask.objects.filter(status=Status.SUCCESSFUL, rows_done__gt=0)
    rates = sorted(
        (task.rows_done / task.duration.total_seconds(), task.rows_done)
        for task in tasks.order_by("-created_at")[:RECENT_BUILDS]
        if task.duration
    )
    return _weighted_quantile(rates, 0.25), _weighted_quantile(rates, 0.75)


def _weighted_quantile(weighted: Sequence[tuple[float, int]], quantile: float) -> float:
    """Return the first value that reaches this share of the total weight; 0 if there is none."""
    total = sum(weight for _, weight in weighted)
    cumulated = accumulate(weight for _, weight in weighted)
    return next(
        (
            value
            for (value, _), weight in zip(weighted, cumulated, strict=True)
            if weight >= quantile * total
        ),
        0.0,
    )


def rounded_position(position: int) -> int:
    return position if position <= MAX_EXACT_POSITION else round(position, -1)
