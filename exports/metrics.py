"""Prometheus metrics that only exports have; `tasks.metrics` has those of every task."""

from collections.abc import Iterator

from django.db.models import Sum
from prometheus_client.metrics_core import Metric

from tasks import metrics

from .models import Event, ExportEvent


def collect() -> Iterator[Metric]:
    built = metrics.recent(ExportEvent).filter(kind=Event.FINISHED)
    yield metrics.gauge(
        "microblog_archive_bytes_last_hour",
        "Total size of the last hour's archives.",
        built.aggregate(size=Sum("task__archive_bytes"))["size"] or 0,
    )


def register() -> None:
    metrics.register(collect)
