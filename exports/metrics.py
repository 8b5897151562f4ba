"""Exports for Prometheus, counted in the database and the broker when it asks.

So work-horses that live for a second need no counters of their own, and it does not matter which machine is asked: all
answer the same. What happened is told for the last hour, because rows of long ago are removed, and a counter must not
fall.
"""

import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import django_rq
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count, F, Min, QuerySet, Sum
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from blog.models import AccountMail

from . import queue_position as waiting
from .models import Event, ExportEvent, ExportMail, ExportTask, MailStatus, Status, SweeperSign
from .models.clock import from_now

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 3600
QUANTILES = (0.5, 0.95, 1.0)
MOST_ROWS = 10_000  # of an hour, that durations are judged by


class ExportCollector(Collector):
    """All metrics of exports. A database or broker that is away costs its own, and is told of."""

    def collect(self) -> Iterator[Metric]:
        yield from _guarded("database", _from_database, DatabaseError)
        yield from _guarded("broker", _from_broker, RedisError)
        yield _gauge(
            "microblog_disk_free_bytes",
            "Room under VAR_DIR.",
            shutil.disk_usage(settings.VAR_DIR).free,
        )


def _guarded(
    name: str, collect: Callable[[], Iterable[Metric]], away: type[Exception]
) -> list[Metric]:
    try:
        metrics = list(collect())
    except away as error:
        logger.warning("Metrics without the %s, which is away: %s", name, error)
        metrics = []
    return [*metrics, _gauge(f"microblog_{name}_up", f"Whether the {name} answers.", bool(metrics))]


def _from_database() -> Iterator[Metric]:
    yield from _states()
    yield from _ages()
    yield from _last_hour()


def _states() -> Iterator[Metric]:
    """Of all rows, which an index alone can count: at most a year's, as long as they are kept."""
    by_status = dict(ExportTask.objects.order_by().values_list("status").annotate(count=Count("*")))
    yield _by_label(
        "microblog_exports", "Exports by state.", "state", {s: by_status.get(s, 0) for s in Status}
    )
    mails = dict(ExportMail.objects.order_by().values_list("status").annotate(count=Count("*")))
    yield _by_label(
        "microblog_mails",
        "Mails of exports by state.",
        "state",
        {s: mails.get(s, 0) for s in MailStatus},
    )
    yield _gauge(
        "microblog_account_mails_pending",
        "Mails about accounts that wait.",
        AccountMail.objects.waiting().count(),
    )


def _ages() -> Iterator[Metric]:
    """Seconds since the oldest of what waits, 0 where nothing does."""
    waits = ExportTask.objects.filter(status=Status.READY)
    yield _gauge(
        "microblog_queue_age_seconds", "The longest wait for a worker.", _age(waits, "queued_at")
    )
    mails = ExportMail.objects.unsettled()
    yield _gauge(
        "microblog_pending_mail_age_seconds",
        "The longest that a mail has been owed.",
        _age(mails, "created_at"),
    )
    silence = _age(SweeperSign.objects.all(), "seen_at", where_none=math.inf)
    yield _gauge("microblog_sweeper_heartbeat_age_seconds", "Time since a sweeper's last round.", silence)


def _age(rows: QuerySet[Any], field: str, where_none: float = 0) -> float:
    oldest = rows.order_by().aggregate(age=Now() - Min(field))["age"]
    return where_none if oldest is None else max(0, oldest.total_seconds())


def _last_hour() -> Iterator[Metric]:
    recent = ExportEvent.objects.filter(created_at__gt=from_now(-WINDOW_SECONDS)).order_by()
    by_kind = dict(recent.values_list("kind").annotate(Count("pk")))
    counts = {kind: by_kind.get(kind, 0) for kind in Event}
    yield _by_label(
        "microblog_events_last_hour", "What happened to exports in the last hour.", "event", counts
    )

    built, mailed = recent.filter(kind=Event.BUILT), recent.filter(kind=Event.MAILED)
    written = built.aggregate(rows=Sum("task__rows_done"), size=Sum("task__archive_bytes"))
    yield _gauge("microblog_rows_last_hour", "Rows written in the last hour.", written["rows"] or 0)
    yield _gauge(
        "microblog_archive_bytes_last_hour",
        "Bytes of the last hour's archives.",
        written["size"] or 0,
    )
    durations = built.values_list(F("task__finished_at") - F("task__started_at"), flat=True)
    yield _quantiles(
        "microblog_build_seconds", "Durations of the last hour's builds.", durations[:MOST_ROWS]
    )
    delays = mailed.values_list(F("created_at") - F("task__finished_at"), flat=True)
    yield _quantiles(
        "microblog_mail_delay_seconds",
        "From a build's end to its mail, in the last hour.",
        delays[:MOST_ROWS],
    )


def _from_broker() -> Iterator[Metric]:
    yield _gauge("microblog_queue_jobs", "Jobs in the queue.", django_rq.get_queue("default").count)
    yield _gauge(
        "microblog_workers",
        "Workers heard from in the last minute.",
        waiting.worker_count(heard_within=60),
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return Gauge(name, help_text, value=value)


def _by_label(name: str, help_text: str, label: str, values: Mapping[Any, float]) -> Metric:
    metric = Gauge(name, help_text, labels=[label])
    for key, value in values.items():
        metric.add_metric([str(key).lower()], value)
    return metric


def _quantiles(name: str, help_text: str, durations: Iterable[timedelta | None]) -> Metric:
    """The durations' quantiles by rank; no samples where there is none."""
    seconds = sorted(duration.total_seconds() for duration in durations if duration is not None)
    metric = Gauge(name, help_text, labels=["quantile"])
    for share in QUANTILES if seconds else ():
        metric.add_metric([f"{share:g}"], max(0, seconds[math.ceil(share * len(seconds)) - 1]))
    return metric
