"""The Prometheus endpoint: requests counted by this machine's processes, and metrics of the apps.

Apps register collectors in `AppConfig.ready`: `metrics.registry.register(ExportCollector())`.
"""

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

LABELLED_METHODS = ("GET", "HEAD", "POST")

request_registry = CollectorRegistry()
requests_total = Counter(
    "microblog_requests",
    "Requests by view and status.",
    ["view", "method", "status"],
    registry=request_registry,
)
request_seconds = Histogram(
    "microblog_request_seconds",
    "Response time in seconds.",
    ["view"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=request_registry,
)


class RequestMetricsMiddleware:
    """Count and duration of requests by view name; "none" without a view, as for static files."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        view = (request.resolver_match and request.resolver_match.view_name) or "none"
        method = request.method if request.method in LABELLED_METHODS else "other"
        requests_total.labels(view, method, response.status_code).inc()
        request_seconds.labels(view).observe(time.perf_counter() - started)
        return response


class RequestCollector(Collector):
    """Request metrics of all workers of this gunicorn.

    The workers share them through files in the folder that `gunicorn.conf.py` creates.
    """

    def collect(self) -> Iterator[Metric]:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            yield from request_registry.collect()
        else:
            yield from MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]


registry = CollectorRegistry()
registry.register(RequestCollector())


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer 404 if METRICS_TOKEN is not set, and 401 to requests without it."""
    if not settings.METRICS_TOKEN:
        return HttpResponse(status=404)
    if not constant_time_compare(
        request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"
    ):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
