"""Prometheus metrics of exports, read from the database and the broker at each scrape.

Work-horses live for a second, so they cannot keep counters. All hosts report the same values.
Old rows are pruned and a counter must never fall, so events are counted over the last hour.
"""

import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count, F, Min, QuerySet, Sum
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from blog.models import AccountMail
from tasks import broker
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now

from .models import Event, ExportEvent, ExportMail, ExportTask, MailStatus, Status

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 3600
QUANTILES = (0.5, 0.95, 1.0)
MAX_SAMPLES = 10_000  # durations per quantile metric
WORKER_HEARTBEAT_SECONDS = 60


class ExportCollector(Collector):
    """Collector of all export metrics; without the database or the broker it omits their part."""

    def collect(self) -> Iterator[Metric]:
        yield from _collect_or_skip("database", _database_metrics, DatabaseError)
        yield from _collect_or_skip("broker", _broker_metrics, RedisError)
        yield _gauge(
            "microblog_disk_free_bytes",
            "Free disk space under VAR_DIR.",
            shutil.disk_usage(settings.VAR_DIR).free,
        )


def _collect_or_skip(
    name: str, collect: Callable[[], Iterable[Metric]], error_class: type[Exception]
) -> list[Metric]:
    try:
        metrics = list(collect())
    except error_class as error:
        logger.warning("Metrics of the %s are missing: %s", name, error)
        metrics = []
    return [*metrics, _gauge(f"microblog_{name}_up", f"Whether the {name} is up.", bool(metrics))]


def _database_metrics() -> Iterator[Metric]:
    yield from _counts_by_status()
    yield from _ages()
    yield from _last_hour()


def _counts_by_status() -> Iterator[Metric]:
    # Two index-only scans of a year's rows; `sweeper.prune` deletes older ones.
    tasks = dict(ExportTask.objects.order_by().values_list("status").annotate(count=Count("*")))
    yield _labelled_gauge(
        "microblog_exports",
        "Exports by state.",
        label="state",
        values={status: tasks.get(status, 0) for status in Status},
    )
    mails = dict(ExportMail.objects.order_by().values_list("status").annotate(count=Count("*")))
    yield _labelled_gauge(
        "microblog_mails",
        "Mails of exports by state.",
        label="state",
        values={status: mails.get(status, 0) for status in MailStatus},
    )
    yield _gauge(
        "microblog_account_mails_pending",
        "Account mails that are waiting to be sent.",
        AccountMail.objects.overdue().count(),
    )


def _ages() -> Iterator[Metric]:
    ready = ExportTask.objects.filter(status=Status.READY)
    yield _gauge(
        "microblog_queue_age_seconds",
        "Age of the oldest export that is waiting for a worker.",
        _age_seconds(ready, "queued_at"),
    )
    yield _gauge(
        "microblog_pending_mail_age_seconds",
        "Age of the oldest mail that has not been sent.",
        _age_seconds(ExportMail.objects.pending(), "created_at"),
    )
    yield _gauge(
        "microblog_sweeper_heartbeat_age_seconds",
        "Time since the last sweep.",
        _age_seconds(SweeperHeartbeat.objects.all(), "last_heartbeat_at", default=math.inf),
    )


def _age_seconds(rows: QuerySet[Any], field: str, default: float = 0) -> float:
    oldest = rows.order_by().aggregate(age=Now() - Min(field))["age"]
    return default if oldest is None else max(0, oldest.total_seconds())


def _last_hour() -> Iterator[Metric]:
    recent = ExportEvent.objects.filter(created_at__gt=from_now(-WINDOW_SECONDS)).order_by()
    by_kind = dict(recent.values_list("kind").annotate(Count("pk")))
    yield _labelled_gauge(
        "microblog_events_last_hour",
        "Events of exports in the last hour.",
        label="event",
        values={kind: by_kind.get(kind, 0) for kind in Event},
    )

    built, mailed = recent.filter(kind=Event.FINISHED), recent.filter(kind=Event.MAILED)
    written = built.aggregate(rows=Sum("task__rows_done"), size=Sum("task__archive_bytes"))
    yield _gauge("microblog_rows_last_hour", "Rows written in the last hour.", written["rows"] or 0)
    yield _gauge(
        "microblog_archive_bytes_last_hour",
        "Total size of the last hour's archives.",
        written["size"] or 0,
    )
    durations = built.values_list(F("task__finished_at") - F("task__started_at"), flat=True)
    yield _quantiles(
        "microblog_build_seconds",
        "Durations of the last hour's builds.",
        durations[:MAX_SAMPLES],
    )
    delays = mailed.values_list(F("created_at") - F("task__finished_at"), flat=True)
    yield _quantiles(
        "microblog_mail_delay_seconds",
        "Time from the end of a build to its mail, in the last hour.",
        delays[:MAX_SAMPLES],
    )


def _broker_metrics() -> Iterator[Metric]:
    yield _gauge("microblog_queue_jobs", "Jobs in the queue.", broker.queue_length())
    yield _gauge(
        "microblog_workers",
        "Workers with a heartbeat in the last minute.",
        broker.worker_count(heartbeat_within=WORKER_HEARTBEAT_SECONDS),
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return Gauge(name, help_text, value=value)


def _labelled_gauge(
    name: str, help_text: str, *, label: str, values: Mapping[Any, float]
) -> Metric:
    metric = Gauge(name, help_text, labels=[label])
    for key, value in values.items():
        metric.add_metric([str(key).lower()], value)
    return metric


def _quantiles(name: str, help_text: str, durations: Iterable[timedelta | None]) -> Metric:
    """Return nearest-rank quantiles of the durations; no samples if there are no durations."""
    seconds = sorted(duration.total_seconds() for duration in durations if duration is not None)
    metric = Gauge(name, help_text, labels=["quantile"])
    for quantile in QUANTILES if seconds else ():
        rank = math.ceil(quantile * len(seconds))
        metric.add_metric([f"{quantile:g}"], max(0, seconds[rank - 1]))
    return metric
