"""Lease and heartbeat of a running task."""

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

# A cancelled build stops at its next heartbeat, so within a second. Work that is shorter than one
# interval needs no renewal at all.
HEARTBEAT_SECONDS = 0.5


class LeaseLost(Exception):
    """The task was cancelled, or given to another worker: stop and change nothing."""


class Heartbeat:
    """Thread that renews a lease through its own database connection.

    `renew(rows_done)` returns whether the lease still holds. Once it does not, the next `report`
    or `wait` raises LeaseLost. Database and broker errors are logged and retried, because only
    the database knows whether the lease survived. Renewal ends after EXPORT_JOB_TIMEOUT, so that
    the sweeper also rescues tasks whose worker hangs. The RQ dashboard shows the progress in
    `job.meta`, out of an estimated `rows_total`.
    """

    def __init__(
        self, renew: Callable[[int], bool], job: Job | None = None, rows_total: int = 0
    ) -> None:
        self._renew = renew
        self._rows_done = 0
        self._rows_total = rows_total
        self._is_lost = False
        self._is_stopping = False
        self._wakeup = threading.Event()
        self._job = job
        self._progress_job: Job | None = None
        run_in_context = contextvars.copy_context().run  # keeps the request id in the log
        self._thread = threading.Thread(
            target=run_in_context, args=(self._run,), name="heartbeat", daemon=True
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
        self._is_stopping = True
        self._wakeup.set()
        self._thread.join()

    def report(self, rows_done: int) -> None:
        self._rows_done = rows_done
        self._check_lease()

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once if the lease is lost."""
        self._wakeup.wait(seconds)
        self._check_lease()

    def _check_lease(self) -> None:
        if self._is_lost:
            raise LeaseLost

    def _run(self) -> None:
        started = time.monotonic()
        try:
            while not self._is_stopping:
                self._wakeup.wait(HEARTBEAT_SECONDS)
                has_time = time.monotonic() - started < settings.EXPORT_JOB_TIMEOUT
                if not self._is_stopping and not (has_time and self._beat(self._rows_done)):
                    return
            if self._progress_job is not None:
                self._save_progress(self._rows_done)
        finally:
            connections.close_all()

    def _beat(self, rows_done: int) -> bool:
        """Renew the lease and save the progress; return False once the lease is lost."""
        try:
            if not self._renew(rows_done):
                self._is_lost = True
                self._wakeup.set()
                return False
        except DatabaseError as error:
            logger.warning("Lease not renewed, retrying: %s", error)
            connections.close_all()
        self._save_progress(rows_done)
        return True

    def _save_progress(self, rows_done: int) -> None:
        if self._job is None:
            return
        if self._progress_job is None:
            # RQ's connection waits 25 seconds for an answer, longer than a lease, so use our own.
            self._progress_job = Job(
                self._job.id, get_connection("default"), serializer=self._job.serializer
            )
            # `save_meta` replaces all meta data, so copy the rest.
            self._progress_job.meta = dict(self._job.meta)
        total = max(rows_done, self._rows_total)
        self._progress_job.meta["progress"] = {"done": rows_done, "total": total}
        try:
            self._progress_job.save_meta()  # type: ignore[no-untyped-call]  # RQ's is not annotated
        except RedisError as error:
            logger.warning("Progress not saved for the RQ dashboard: %s", error)
            self._job = self._progress_job = None
