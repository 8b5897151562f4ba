"""What the broker knows at one moment: who waits, and who works."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import django_rq
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue as RQQueue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.suspension import is_suspended, resume
from rq.worker import BaseWorker, Worker

UUID_LENGTH = 36
SILENT = timedelta(seconds=60)  # a worker beats every 15 seconds, also while it works


@dataclass(frozen=True)
class Hand:
    """One worker process."""

    name: str
    state: str
    job_id: str
    seen_at: datetime | None
    done: int
    failed: int

    @property
    def is_silent(self) -> bool:
        return self.seen_at is None or timezone.now() - self.seen_at > SILENT

    @property
    def export_id(self) -> str:
        """The export that it builds; empty where it does something else, or nothing."""
        return tasks_of([self.job_id]).get(self.job_id, ("", 0))[0]

    @property
    def key(self) -> str:
        return f"rq:worker:{self.name}"


@dataclass(frozen=True)
class Queue:
    """A reading of the queue; of a broker that does not answer only that is known."""

    trouble: str = ""
    waiting: dict[str, int] = field(default_factory=dict)
    """Places by job id; the next one has 1."""
    started: frozenset[str] = frozenset()
    workers: tuple[Hand, ...] = ()
    is_paused: bool = False

    @property
    def is_away(self) -> bool:
        return bool(self.trouble)

    def hand_of(self, job_id: str) -> Hand | None:
        return next((hand for hand in self.workers if hand.job_id == job_id), None)

    def place(self, job_id: str) -> int | None:
        return self.waiting.get(job_id)


def read() -> Queue:
    try:
        return _read(django_rq.get_queue("default"))
    except RedisError as error:
        return Queue(trouble=str(error) or type(error).__name__)


def _read(queue: RQQueue) -> Queue:
    return Queue(
        waiting={job_id: place for place, job_id in enumerate(queue.get_job_ids(), start=1)},
        started=frozenset(StartedJobRegistry(queue=queue).get_job_ids(cleanup=False)),
        workers=tuple(sorted(map(_hand, Worker.all(queue=queue)), key=lambda hand: hand.name)),
        is_paused=bool(is_suspended(queue.connection)),
    )


def _hand(worker: BaseWorker) -> Hand:
    seen_at = worker.last_heartbeat
    return Hand(
        name=worker.name,
        state=str(worker.get_state()),
        job_id=worker.get_current_job_id() or "",
        seen_at=seen_at and seen_at.replace(tzinfo=UTC),
        done=worker.successful_job_count,
        failed=worker.failed_job_count,
    )


def is_remembered(job_id: str) -> bool | None:
    """Whether RQ still has that job; None while the broker cannot be asked."""
    try:
        return bool(Job.exists(job_id, django_rq.get_connection("default")))
    except RedisError:
        return None


def tasks_of(job_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """The exports that jobs build, as (id, attempt) by job id; jobs of other kinds are left out."""
    found = {}
    for job_id in job_ids:
        task, _, attempt = job_id.rpartition("-")
        if len(task) == UUID_LENGTH and attempt.isdecimal():
            found[job_id] = (task, int(attempt))
    return found


def withdraw(job_id: str) -> None:
    """Take a job off the queue. RedisError while the broker is away."""
    queue = django_rq.get_queue("default")
    queue.remove(job_id)
    try:
        Job.fetch(job_id, queue.connection, serializer=queue.serializer).delete()
    except NoSuchJobError:
        return


def let_go_on() -> None:
    """End a pause that `rqsuspend` began. RedisError while the broker is away."""
    resume(django_rq.get_connection("default"))
