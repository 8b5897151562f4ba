"""What Prometheus reads at /metrics: requests as these processes count them, exports as the database has them."""

import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from exports.metrics import ExportCollector

METHODS = ("GET", "HEAD", "POST")

own_registry = CollectorRegistry()
requests_total = Counter(
    "microblog_requests",
    "Requests by view and status.",
    ["view", "method", "status"],
    registry=own_registry,
)
request_seconds = Histogram(
    "microblog_request_seconds",
    "Time to the answer, in seconds.",
    ["view"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=own_registry,
)


class RequestMetricsMiddleware:
    """Counts requests by the name of their view; what has none, such as static files, is "none"."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        view = (request.resolver_match and request.resolver_match.view_name) or "none"
        method = request.method if request.method in METHODS else "other"
        requests_total.labels(view, method, response.status_code).inc()
        request_seconds.labels(view).observe(time.perf_counter() - began)
        return response


def metrics(request: HttpRequest) -> HttpResponse:
    """Everything, for whoever has METRICS_TOKEN; 404 where there is none, 401 without it."""
    if not settings.METRICS_TOKEN:
        return HttpResponse(status=404)
    if not constant_time_compare(
        request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"
    ):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(RequestCollector())
    registry.register(ExportCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class RequestCollector(Collector):
    """Counts of all workers of this gunicorn, by way of the files that `gunicorn.conf.py` has a folder for."""

    def collect(self) -> Iterator[Metric]:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            yield from own_registry.collect()
        else:
            yield from MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]  # not annotated there
