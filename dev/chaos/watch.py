"""Measures how long an export that is not over goes without a sign of life."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import connection

from exports.models import ExportEvent, ExportMail, ExportTask, MailStatus, Status

from .world import World

POLL_SECONDS = 0.1
STUCK_LEASES = 1.5  # 30 seconds at the product's lease of 20
SLACK_SECONDS = (
    4  # what does not shrink with the lease: starting a process, waiting for a busy machine
)


@dataclass
class Life:
    """One row: what it looked like last, and for how long it has looked so while all that it needs worked."""

    looks: Hashable
    silent: float = 0.0


@dataclass(frozen=True)
class Stuck:
    row: str
    where: str
    seconds: float


class Watcher:
    """Looks at the rows from a thread, ten times a second.

    A row lives as long as it changes (a renewed lease is a change), or waits in a queue that moves, or waits for the
    moment of its next try. The time in which the suite itself keeps away what could help it does not count.
    """

    def __init__(self, world: World, tell: Callable[[str], None] = print) -> None:
        self.world = world
        self.tell = tell
        self.limit = STUCK_LEASES * world.lease + (SLACK_SECONDS if world.lease < 20 else 0)
        self.longest_rescue = 0.0
        self.longest_silence = 0.0
        self.stuck: dict[str, Stuck] = {}
        self.unfinished = 0
        self._lives: dict[str, Life] = {}
        self._last_event = 0
        self._leases: frozenset[Hashable] = frozenset()
        self._queue_silent = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._ending.wait(POLL_SECONDS):
            try:
                queued = self.world.queued()
                now = time.monotonic()
                self._look(queued, now - last)
                last = now
            except DatabaseError:
                connection.close()
                last = time.monotonic()

    def _look(self, queued: set[str] | None, passed: float) -> None:
        tasks = list(ExportTask.objects.unfinished())
        mails = list(ExportMail.objects.pending())
        self._see_whether_anything_moves(tasks, mails, passed)
        seen = set()
        rows: list[ExportTask | ExportMail] = [*tasks, *mails]
        for row in rows:
            seen.add(str(row.pk))
            self._judge(row, queued, passed)
        for pk in self._lives.keys() - seen:
            self._end(pk, self._lives.pop(pk))
        self.unfinished = len(seen)

    def _see_whether_anything_moves(
        self, tasks: list[ExportTask], mails: list[ExportMail], passed: float
    ) -> None:
        last = ExportEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        leases = frozenset(
            [*(task.lease_expires_at for task in tasks), *(mail.lease_expires_at for mail in mails)]
        )
        if (last, leases) != (self._last_event, self._leases) or not self._have(
            "worker", "broker", "database"
        ):
            self._last_event, self._leases, self._queue_silent = last, leases, 0.0
        else:
            self._queue_silent += passed

    def _judge(self, row: ExportTask | ExportMail, queued: set[str] | None, passed: float) -> None:
        pk, looks = str(row.pk), _looks(row)
        life = self._lives.setdefault(pk, Life(looks))
        if life.looks != looks:
            self._end(pk, life)
            life.looks, life.silent = looks, 0.0
        elif self._is_excused(row, queued):
            pass
        elif self._is_in_order(row, queued):
            life.silent = 0.0
        else:
            life.silent += passed
            if life.silent > self.limit:
                if pk not in self.stuck:
                    self.tell(
                        f"  stuck since {datetime.now(UTC):%H:%M:%S}: {row._meta.model_name} {pk}, {row.status}"
                    )
                self.stuck[pk] = Stuck(pk, f"{row._meta.model_name} {row.status}", life.silent)

    def _is_excused(self, row: ExportTask | ExportMail, queued: set[str] | None) -> bool:
        """Whether the suite itself keeps away what this row needs."""
        if row.status in (Status.RUNNING, MailStatus.SENDING):
            return not self._have(
                "database", "sweeper", "broker"
            )  # a broker that hangs holds the sweeper up
        return queued is None or not self._have("database", "sweeper", "broker", "worker")

    def _is_in_order(self, row: ExportTask | ExportMail, queued: set[str] | None) -> bool:
        if row.status in (Status.RUNNING, MailStatus.SENDING):
            return False
        if isinstance(row, ExportMail) and row.next_try_at > datetime.now(UTC):
            return True
        return queued is not None and row.job_id in queued and self._queue_silent < self.limit

    def _have(self, *names: str) -> bool:
        return all(map(self.world.works, names))

    def _end(self, pk: str, life: Life) -> None:
        """A silence is over: something happened to the row, or it is settled."""
        self.longest_silence = max(self.longest_silence, life.silent)
        if life.silent > self.world.lease / 2:
            self.longest_rescue = max(self.longest_rescue, life.silent)


def _looks(row: ExportTask | ExportMail) -> Hashable:
    if isinstance(row, ExportTask):
        return (row.status, row.attempt, row.lease_expires_at, row.rows_done)
    return (row.status, row.tries, row.lease_expires_at)
