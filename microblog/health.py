"""Liveness and readiness of this process, and the probe URLs that answer machines.

Apps register what they need in `AppConfig.ready`: `health.register("worker", check_worker)`.
"""

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from threading import Lock, Thread

import django_rq
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from .metrics import metrics

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3  # for all checks together: they run in parallel


class NotReady(Exception):
    """Failure of a check; its text is public, so it holds no names, addresses or keys."""


@dataclass(frozen=True)
class Check:
    run: Callable[[], None]
    cache_seconds: float = 0


CHECKS: dict[str, Check] = {}
_running: dict[str, Future[None]] = {}
_lock = Lock()
_cached_until: dict[str, float] = {}  # on the monotonic clock


def register(name: str, check: Callable[[], None], *, cache_seconds: float = 0) -> None:
    """Add a readiness check: a function that raises NotReady, or any error, on failure.

    A success is trusted for `cache_seconds`; a failure is never cached.
    """
    CHECKS[name] = Check(check, cache_seconds)


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process responds, without asking the database or the broker."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    failures = failures_by_check()
    checks = {
        name: {"ok": why is None, **({"why": why} if why else {})} for name, why in failures.items()
    }
    is_ready = not any(failures.values())
    return JsonResponse({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)


def failures_by_check() -> dict[str, str | None]:
    """Run all checks within TIMEOUT_SECONDS and return why each failed (None: it passed)."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    futures = {name: _start(name) for name in CHECKS}
    return {name: _failure(name, future, deadline) for name, future in futures.items()}


def _start(name: str) -> Future[None]:
    """Start a check in a thread of its own, or join the run in progress.

    A check that hangs therefore blocks one thread, however often it is requested. Daemon threads
    do not keep the process alive.
    """
    with _lock:
        future = _running.get(name)
        if future is None or future.done():
            future = _running[name] = Future()
            thread = Thread(target=_run, args=(name, future), name=f"check-{name}", daemon=True)
            thread.start()
        return future


def _run(name: str, future: Future[None]) -> None:
    check = CHECKS[name]
    try:
        if time.monotonic() >= _cached_until.get(name, 0):
            check.run()
            _cached_until[name] = time.monotonic() + check.cache_seconds
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    finally:
        connections.close_all()


def _failure(name: str, future: Future[None], deadline: float) -> str | None:
    try:
        future.result(max(0, deadline - time.monotonic()))
    except FutureTimeoutError:
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    except NotReady as error:
        return str(error)
    except Exception as error:
        # The text may hold an address or a password: it goes to the log only.
        logger.warning("Readiness check failed: %s: %s", name, error)
        return type(error).__name__
    return None


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    """Fail if migrations of this version are not applied.

    Cached for good: a later version applies further migrations, which only its own processes need.
    """
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady(f"not applied: {len(missing)}")


def check_broker() -> None:
    django_rq.get_connection("default").ping()


register("database", check_database)
register("migrations", check_migrations, cache_seconds=math.inf)
register("broker", check_broker)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


class ProbeMiddleware:
    """Probe responses, given before any other middleware runs.

    Probes arrive by plain HTTP at the address of one machine. Behind the other middleware they
    would get a redirect to HTTPS, or a 400 for their Host header.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = probe(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
