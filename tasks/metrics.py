"""Prometheus metrics of tasks, mails and the queue, read at each scrape.

Work-horses live for a second, so they cannot keep counters. All hosts report the same values.
Old rows are pruned and a counter must never fall, so events are counted over the last hour.
"""

import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count, F, Min, Model, QuerySet, Sum
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from . import broker
from .models import (
    MailStatus,
    Status,
    SweeperHeartbeat,
    TaskEvent,
    TaskEventKind,
    mail_models,
    task_models,
)
from .models.clock import from_now

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 3600
QUANTILES = (0.5, 0.95, 1.0)
MAX_SAMPLES = 10_000  # durations per kind and quantile metric
WORKER_HEARTBEAT_SECONDS = 60

DatabaseCollector = Callable[[], Iterable[Metric]]
Samples = Mapping[tuple[str, ...], float]

_database_collectors: list[DatabaseCollector] = []


def register(collector: DatabaseCollector) -> None:
    """Add a collector of metrics from the database."""
    _database_collectors.append(collector)


class TaskCollector(Collector):
    """Collector of these metrics; omits those of the database or broker while it is down."""

    def collect(self) -> Iterator[Metric]:
        yield from _collect_or_skip("database", _database_metrics, DatabaseError)
        yield from _collect_or_skip("broker", _broker_metrics, RedisError)
        yield gauge(
            "microblog_disk_free_bytes",
            "Free disk space under VAR_DIR.",
            shutil.disk_usage(settings.VAR_DIR).free,
        )


def kind_of(model: type[Model]) -> str:
    return model._meta.model_name or ""


def event_models() -> list[type[TaskEvent]]:
    return [model for model in apps.get_models() if issubclass(model, TaskEvent)]


def recent(events: type[TaskEvent]) -> QuerySet[Any]:
    since = from_now(-WINDOW_SECONDS)
    return events._default_manager.filter(created_at__gt=since).order_by()


def gauge(name: str, help_text: str, value: float) -> Metric:
    return Gauge(name, help_text, value=value)


def labelled_gauge(name: str, help_text: str, *, labels: Sequence[str], samples: Samples) -> Metric:
    metric = Gauge(name, help_text, labels=labels)
    for values, number in samples.items():
        metric.add_metric(values, number)
    return metric


def _collect_or_skip(
    name: str, collect: DatabaseCollector, error_class: type[Exception]
) -> list[Metric]:
    try:
        metrics = list(collect())
    except error_class as error:
        logger.warning("Metrics of the %s are missing: %s", name, error)
        metrics = []
    return [*metrics, gauge(f"microblog_{name}_up", f"Whether the {name} is up.", bool(metrics))]


def _database_metrics() -> Iterator[Metric]:
    yield from _counts_by_status()
    yield from _ages()
    yield from _events()
    yield from _durations()
    for collector in _database_collectors:
        yield from collector()


def _counts_by_status() -> Iterator[Metric]:
    # Index-only scans of a year's rows; `sweeper.prune` deletes older ones.
    for name, models, statuses in (
        ("task", task_models(), Status),
        ("mail", mail_models(), MailStatus),
    ):
        samples: dict[tuple[str, ...], float] = {}
        for model in models:
            rows: Any = model._default_manager.order_by()
            counts = dict(rows.values_list("status").annotate(count=Count("*")))
            for status in statuses:
                samples[kind_of(model), status.lower()] = counts.get(status, 0)
        yield labelled_gauge(
            f"microblog_{name}s",
            f"{name.title()}s by kind and state.",
            labels=("kind", "state"),
            samples=samples,
        )


def _ages() -> Iterator[Metric]:
    yield labelled_gauge(
        "microblog_queue_age_seconds",
        "Age of the oldest task that is waiting for a worker.",
        labels=("kind",),
        samples={
            (kind_of(model),): _age_seconds(model.objects.filter(status=Status.READY), "queued_at")
            for model in task_models()
        },
    )
    yield labelled_gauge(
        "microblog_pending_mail_age_seconds",
        "Age of the oldest mail that has not been sent.",
        labels=("kind",),
        samples={
            (kind_of(model),): _age_seconds(model.objects.pending(), "created_at")
            for model in mail_models()
        },
    )
    yield gauge(
        "microblog_sweeper_heartbeat_age_seconds",
        "Time since the last sweep.",
        _age_seconds(SweeperHeartbeat.objects.all(), "last_heartbeat_at", default=math.inf),
    )


def _age_seconds(rows: QuerySet[Any], field: str, default: float = 0) -> float:
    oldest = rows.order_by().aggregate(age=Now() - Min(field))["age"]
    return default if oldest is None else max(0, oldest.total_seconds())


def _events() -> Iterator[Metric]:
    samples: dict[tuple[str, ...], float] = {}
    for model in event_models():
        by_kind = dict(recent(model).values_list("kind").annotate(Count("pk")))
        choices: Any = model._meta.get_field("kind").choices
        for event, _label in choices:
            samples[_task_kind(model), event.lower()] = by_kind.get(event, 0)
    yield labelled_gauge(
        "microblog_events_last_hour",
        "Events of tasks in the last hour.",
        labels=("kind", "event"),
        samples=samples,
    )


def _durations() -> Iterator[Metric]:
    rows: dict[tuple[str, ...], float] = {}
    work: dict[str, Iterable[timedelta | None]] = {}
    delays: dict[str, Iterable[timedelta | None]] = {}
    for model in event_models():
        kind = _task_kind(model)
        events = recent(model)
        finished = events.filter(kind=TaskEventKind.FINISHED)
        mailed = events.filter(kind=TaskEventKind.MAILED)
        rows[kind,] = finished.aggregate(rows=Sum("task__rows_done"))["rows"] or 0
        times = finished.values_list(F("task__finished_at") - F("task__started_at"), flat=True)
        work[kind] = times[:MAX_SAMPLES]
        times = mailed.values_list(F("created_at") - F("task__finished_at"), flat=True)
        delays[kind] = times[:MAX_SAMPLES]
    yield labelled_gauge(
        "microblog_rows_last_hour",
        "Rows of the tasks that finished in the last hour.",
        labels=("kind",),
        samples=rows,
    )
    yield _quantiles("microblog_task_seconds", "Durations of the last hour's tasks.", work)
    yield _quantiles(
        "microblog_mail_delay_seconds",
        "Time from the end of a task to its mail, in the last hour.",
        delays,
    )


def _task_kind(event_model: type[TaskEvent]) -> str:
    # The abstract class has no such field; its concrete classes add it.
    opts: Any = event_model._meta
    return kind_of(opts.get_field("task").related_model)


def _quantiles(
    name: str, help_text: str, durations: Mapping[str, Iterable[timedelta | None]]
) -> Metric:
    """Return nearest-rank quantiles of each kind; no samples of a kind without durations."""
    samples: dict[tuple[str, ...], float] = {}
    for kind, times in durations.items():
        seconds = sorted(time.total_seconds() for time in times if time is not None)
        for quantile in QUANTILES if seconds else ():
            rank = math.ceil(quantile * len(seconds))
            samples[kind, f"{quantile:g}"] = max(0, seconds[rank - 1])
    return labelled_gauge(name, help_text, labels=("kind", "quantile"), samples=samples)


def _broker_metrics() -> Iterator[Metric]:
    yield gauge("microblog_queue_jobs", "Jobs in the queue.", broker.queue_length())
    yield gauge(
        "microblog_workers",
        "Workers with a heartbeat in the last minute.",
        broker.worker_count(heartbeat_within=WORKER_HEARTBEAT_SECONDS),
    )
