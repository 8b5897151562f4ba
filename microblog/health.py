"""Whether this process lives, and whether all that it needs is there."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from threading import Lock, Thread

import django_rq
from django.core.files.base import ContentFile
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from exports import queue_position as waiting
from exports.models import SweeperHeartbeat
from exports.models.task import archive_storage

logger = logging.getLogger(__name__)

CHECK_SECONDS = 3  # all checks together: they go side by side
SILENT_SECONDS = 60  # a worker or sweeper that was not heard from for so long counts as gone
PROBE = "probe"  # the name of the file that the storage is tried with
STORED_SECONDS = 60  # how long a storage that took a file is believed


class NotReady(Exception):
    """Why, in words without names, addresses or keys: anyone may read them."""


def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all: it asks nothing of anyone else."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Each thing that is needed, by name, and why it is not there; 503 where one is not."""
    reasons = reasons_by_check()
    checks = {
        name: {"ok": why is None, **({"why": why} if why else {})} for name, why in reasons.items()
    }
    is_ready = not any(reasons.values())
    return JsonResponse({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)


def reasons_by_check() -> dict[str, str | None]:
    """Why each check failed, None where it did not, within CHECK_SECONDS."""
    deadline = time.monotonic() + CHECK_SECONDS
    begun = {name: _begin(name) for name in CHECKS}
    return {name: _reason(name, future, deadline) for name, future in begun.items()}


_under_way: dict[str, Future[None]] = {}
_lock = Lock()


def _begin(name: str) -> Future[None]:
    """The check of that name, in a thread of its own, or the one that goes on already.

    So whatever hangs holds one thread a check, however many ask; daemon threads, which do not keep a process alive.
    """
    with _lock:
        future = _under_way.get(name)
        if future is None or future.done():
            future = _under_way[name] = Future()
            Thread(
                target=_run, args=(future, CHECKS[name]), name=f"check-{name}", daemon=True
            ).start()
        return future


def _run(future: Future[None], check: Callable[[], None]) -> None:
    try:
        check()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    finally:
        connections.close_all()


def _reason(name: str, future: Future[None], deadline: float) -> str | None:
    try:
        future.result(max(0, deadline - time.monotonic()))
    except TooLate:
        why = f"no answer within {CHECK_SECONDS} seconds"
    except NotReady as error:
        why = str(error)
    except Exception as error:
        why = type(
            error
        ).__name__  # its words may hold an address or a password: they are for the log
        logger.warning("Not ready, %s: %s", name, error)
    else:
        return None
    return why


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_broker() -> None:
    django_rq.get_connection("default").ping()


def check_migrations() -> None:
    """Looks until all are applied: those of a later version are for its own processes."""
    if _is_believed("migrations"):
        return
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady(f"not applied: {len(missing)}")
    _believe("migrations", float("inf"))


def check_worker() -> None:
    if waiting.worker_count(heartbeat_within=SILENT_SECONDS) == 0:
        raise NotReady(f"no worker was heard from within {SILENT_SECONDS} seconds")


def check_sweeper() -> None:
    if not SweeperHeartbeat.objects.within(SILENT_SECONDS).exists():
        raise NotReady(f"no sweeper was heard from within {SILENT_SECONDS} seconds")


def check_storage() -> None:
    """Write a file and remove it, once a minute at most: a bucket charges for each.

    Under one name, which is removed before, too: one that could not be removed does not have others pile up beside it.
    """
    if _is_believed("storage"):
        return
    storage = archive_storage()
    storage.delete(PROBE)
    storage.delete(storage.save(PROBE, ContentFile(b"")))
    _believe("storage", STORED_SECONDS)


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
    "worker": check_worker,
    "sweeper": check_sweeper,
    "storage": check_storage,
}

_believed_until: dict[str, float] = {}  # on the monotonic clock, for all of this process


def _believe(name: str, seconds: float) -> None:
    _believed_until[name] = time.monotonic() + seconds


def _is_believed(name: str) -> bool:
    return time.monotonic() < _believed_until.get(name, 0)
