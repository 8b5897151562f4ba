"""The thread that keeps a lease while its owner works."""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django_rq import get_connection
from redis.exceptions import RedisError
from rq.job import Job

logger = logging.getLogger(__name__)

# How often the lease is renewed and progress written: often enough for a cancelled build to stop within a second. Work
# that is done before the first beat costs none.
BEAT_SECONDS = 0.5


class LeaseLost(Exception):
    """Somebody else has been given the work; whoever still does it must stop and change nothing."""


class Heartbeat:
    """Renews a lease from a thread with a database connection of its own.

    `renew(rows_done)` answers whether the lease still holds; once it does not, the worker's next `report` or `wait`
    raises LeaseLost. Renewal ends after EXPORT_JOB_TIMEOUT, so that even work that hangs is rescued. A database or
    broker that is away is logged: whether the lease survived is the database's to say. `job` shows progress, out of
    about `rows_total`, in the queue's dashboard.
    """

    def __init__(
        self, renew: Callable[[int], bool], job: Job | None = None, rows_total: int = 0
    ) -> None:
        self._renew = renew
        self._rows_done = 0
        self._rows_total = rows_total
        self._lost = False
        self._woken = threading.Event()
        self._stopping = False
        self._job = job
        self._shown: Job | None = None
        in_context = contextvars.copy_context().run  # the request's id, for the log
        self._thread = threading.Thread(
            target=in_context, args=(self._run,), name="heartbeat", daemon=True
        )

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        self._woken.set()
        self._thread.join()

    def report(self, rows_done: int) -> None:
        self._rows_done = rows_done
        self._check()

    def wait(self, seconds: float) -> None:
        """Pause, but no longer than the lease holds."""
        self._woken.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self._lost:
            raise LeaseLost

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while not self._stopping:
                self._woken.wait(BEAT_SECONDS)
                has_time = time.monotonic() - began < settings.EXPORT_JOB_TIMEOUT
                if not self._stopping and not (has_time and self._beat(self._rows_done)):
                    return
            if self._shown is not None:
                self._show(self._rows_done)
        finally:
            connections.close_all()

    def _beat(self, rows: int) -> bool:
        """Renew the lease and show progress; False once the lease is lost."""
        try:
            if not self._renew(rows):
                self._lost = True
                self._woken.set()
                return False
        except DatabaseError as error:
            logger.warning("Lease could not be renewed, trying again: %s", error)
            connections.close_all()
        self._show(rows)
        return True

    def _show(self, rows: int) -> None:
        """Progress for the queue's dashboard."""
        if self._job is None:
            return
        if self._shown is None:
            # Through a connection of our own: RQ's waits 25 seconds for an answer, longer than a lease.
            self._shown = Job(
                self._job.id, get_connection("default"), serializer=self._job.serializer
            )
            self._shown.meta = dict(self._job.meta)  # `save_meta` writes all of it
        self._shown.meta["progress"] = {"done": rows, "total": max(rows, self._rows_total)}
        try:
            self._shown.save_meta()  # type: ignore[no-untyped-call]  # RQ's is not annotated
        except RedisError as error:
            logger.warning("Progress could not be shown in the dashboard: %s", error)
            self._job = self._shown = None
