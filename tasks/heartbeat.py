"""The thread that renews a lease while its holder works."""

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from .broker import JobProgress

logger = logging.getLogger(__name__)

# Short, so that a cancelled task stops within a second; work that ends sooner costs no write.
HEARTBEAT_INTERVAL = 0.5


class LeaseLost(Exception):
    """The work was given to another worker, or cancelled: stop, and write nothing more."""


class Heartbeat:
    """Renews a lease from a thread with a database connection of its own.

    `renew(rows_done)` returns whether the lease still holds; once it is lost, the next `report` or
    `wait` raises LeaseLost. Renewal ends after EXPORT_JOB_TIMEOUT, so that work that hangs is
    rescued as well. Database errors are logged and retried, because only the row can tell whether
    the lease survived them.

    With `job_id`, progress is shown in the RQ dashboard. With `exit_if_stuck`, the process ends
    itself if the work has not stopped a whole lease after losing it: otherwise a zombie would
    occupy its worker.
    """

    def __init__(
        self,
        renew: Callable[[int], bool],
        *,
        job_id: str | None = None,
        rows_total: int = 0,
        exit_if_stuck: bool = False,
    ) -> None:
        self._renew = renew
        self._rows_done = 0
        self._rows_total = rows_total
        self._lost = threading.Event()
        self._stopped = threading.Event()
        self._progress = JobProgress(job_id) if job_id else None
        self._has_shown_progress = False
        self._exit_if_stuck = exit_if_stuck
        # Copy the context, so that log lines of the thread carry the request id.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._run,), name="heartbeat", daemon=True
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
        self.stop()

    def stop(self) -> None:
        """Stop renewing; the lease runs on for what is left of it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def report(self, rows_done: int) -> None:
        """Record progress. Raises LeaseLost."""
        self._rows_done = rows_done
        self._check()

    def wait(self, seconds: float) -> None:
        """Pause for that long. Raises LeaseLost as soon as the lease is lost."""
        self._lost.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self._lost.is_set():
            raise LeaseLost

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while not self._stopped.wait(HEARTBEAT_INTERVAL):
                if time.monotonic() - began > settings.EXPORT_JOB_TIMEOUT:
                    return
                if not self._beat():
                    self._end_stuck_process()
                    return
            if self._progress and self._has_shown_progress:
                self._progress.show(self._rows_done, self._rows_total)
        finally:
            connections.close_all()

    def _beat(self) -> bool:
        """Renew the lease and show progress; False once the lease is lost."""
        try:
            if not self._renew(self._rows_done):
                self._lost.set()
                return False
        except DatabaseError as error:
            logger.warning("The lease was not renewed; trying again: %s", error)
            connections.close_all()
        if self._progress:
            self._progress.show(self._rows_done, self._rows_total)
            self._has_shown_progress = True
        return True

    def _end_stuck_process(self) -> None:
        if not self._exit_if_stuck or self._stopped.wait(settings.EXPORT_LEASE_SECONDS):
            return
        logger.error("The lease was lost and the work did not stop: this process ends itself.")
        logging.shutdown()
        os._exit(1)
