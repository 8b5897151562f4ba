"""Measurement of how long unfinished tasks and pending mails make no progress."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import connection

from tasks.models import Mail, MailStatus, Status, Task, task_models

from .harness import Harness, unfinished_rows

POLL_SECONDS = 0.1
STUCK_LEASES = 1.5  # 30 seconds at the product's lease of 20
FULL_LEASE_SECONDS = 20
# Process starts and waits for a busy machine do not shrink with the lease.
SLACK_SECONDS = 4

Row = Task | Mail


@dataclass
class RowState:
    """Last observed state of a row, and the seconds that it lasted without an excuse."""

    state: Hashable
    idle_seconds: float = 0.0


@dataclass(frozen=True)
class StuckRow:
    row: str
    state: str
    seconds: float


class Watcher:
    """Thread that looks at all rows ten times a second.

    A row makes progress if it changes (a renewed lease is a change), waits in a queue that moves,
    or waits for its next try. Time in which the suite itself blocks the row does not count.
    """

    def __init__(self, harness: Harness, print_line: Callable[[str], None] = print) -> None:
        self.harness = harness
        self.print_line = print_line
        slack = SLACK_SECONDS if harness.lease < FULL_LEASE_SECONDS else 0
        self.limit = STUCK_LEASES * harness.lease + slack
        self.longest_rescue = 0.0
        self.stuck: dict[str, StuckRow] = {}
        self._rows: dict[str, RowState] = {}
        self._last_events: tuple[int, ...] = ()
        self._leases: frozenset[Hashable] = frozenset()
        self._queue_idle_seconds = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.wait(POLL_SECONDS):
            try:
                queued = self.harness.queued_jobs()
                now = time.monotonic()
                self._check_rows(queued, now - last)
                last = now
            except DatabaseError:
                connection.close()
                last = time.monotonic()

    def _check_rows(self, queued: set[str] | None, elapsed: float) -> None:
        rows = unfinished_rows()
        self._check_queue(rows, elapsed)
        for row in rows:
            self._check_row(row, queued, elapsed)
        for pk in self._rows.keys() - {str(row.pk) for row in rows}:
            self._record_rescue(self._rows.pop(pk))

    def _check_queue(self, rows: list[Row], elapsed: float) -> None:
        """Measure how long no event happened and no lease changed although it could."""
        last_events = tuple(_last_event(model) for model in task_models())
        leases = frozenset(row.lease_expires_at for row in rows)
        is_moving = (last_events, leases) != (self._last_events, self._leases)
        if is_moving or not self._are_available("worker", "broker", "database"):
            self._last_events, self._leases, self._queue_idle_seconds = last_events, leases, 0.0
        else:
            self._queue_idle_seconds += elapsed

    def _check_row(self, row: Row, queued: set[str] | None, elapsed: float) -> None:
        pk, state = str(row.pk), _state(row)
        tracked = self._rows.setdefault(pk, RowState(state))
        if tracked.state != state:
            self._record_rescue(tracked)
            tracked.state, tracked.idle_seconds = state, 0.0
        elif self._is_excused(row, queued):
            pass
        elif self._is_waiting_normally(row, queued):
            tracked.idle_seconds = 0.0
        else:
            tracked.idle_seconds += elapsed
            if tracked.idle_seconds > self.limit:
                self._record_stuck(row, tracked)

    def _record_stuck(self, row: Row, tracked: RowState) -> None:
        pk, state = str(row.pk), f"{row._meta.model_name} {row.status}"
        if pk not in self.stuck:
            self.print_line(f"  stuck since {datetime.now(UTC):%H:%M:%S}: {state} {pk}")
        self.stuck[pk] = StuckRow(pk, state, tracked.idle_seconds)

    def _record_rescue(self, tracked: RowState) -> None:
        """Count the idle time of a row that moves again or is finished."""
        if tracked.idle_seconds > self.harness.lease / 2:
            self.longest_rescue = max(self.longest_rescue, tracked.idle_seconds)

    def _is_excused(self, row: Row, queued: set[str] | None) -> bool:
        """Return whether the suite itself blocks this row."""
        if row.status in (Status.RUNNING, MailStatus.SENDING):
            # A frozen broker blocks the sweeper.
            return not self._are_available("database", "sweeper", "broker")
        return queued is None or not self._are_available("database", "sweeper", "broker", "worker")

    def _is_waiting_normally(self, row: Row, queued: set[str] | None) -> bool:
        if row.status in (Status.RUNNING, MailStatus.SENDING):
            return False
        # Both times lie in the future during the backoff after a failure only.
        due_at = row.next_try_at if isinstance(row, Mail) else row.queued_at
        if due_at > datetime.now(UTC):
            return True
        is_queued = queued is not None and row.job_id in queued
        return is_queued and self._queue_idle_seconds < self.limit

    def _are_available(self, *names: str) -> bool:
        return all(map(self.harness.is_available, names))


def _last_event(model: type[Task]) -> int:
    """Return the number of the newest entry in the timelines of that kind of task."""
    ids = model.objects.order_by("-events__pk").filter(events__isnull=False)
    return ids.values_list("events__pk", flat=True).first() or 0


def _state(row: Row) -> Hashable:
    if isinstance(row, Task):
        return (row.status, row.attempt, row.lease_expires_at, row.rows_done)
    return (row.status, row.tries, row.lease_expires_at)
