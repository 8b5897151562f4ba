"""State of the RQ queue and its workers, and the changes that staff can make to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import django_rq
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue, suspension
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.worker import BaseWorker, Worker

UUID_LENGTH = 36
WORKER_TIMEOUT = timedelta(seconds=60)  # RQ workers send a heartbeat every 15 s, also when busy


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """Worker process as RQ knows it."""

    name: str
    state: str
    job_id: str
    last_heartbeat_at: datetime | None
    successful_jobs: int
    failed_jobs: int

    @property
    def is_silent(self) -> bool:
        heartbeat_at = self.last_heartbeat_at
        return heartbeat_at is None or timezone.now() - heartbeat_at > WORKER_TIMEOUT

    @property
    def export_id(self) -> str:
        """Id of the export that the worker is building, or an empty string."""
        return parse_job_ids([self.job_id]).get(self.job_id, ("", 0))[0]

    @property
    def key(self) -> str:
        return f"rq:worker:{self.name}"


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """State of the queue at one moment; if the broker is unreachable, only `error` is set.

    `positions` maps the ids of waiting jobs to their places, of which the first is 1.
    """

    error: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    started_job_ids: frozenset[str] = frozenset()
    workers: tuple[WorkerInfo, ...] = ()
    is_paused: bool = False

    @property
    def is_unreachable(self) -> bool:
        return bool(self.error)

    def worker_for(self, job_id: str) -> WorkerInfo | None:
        return next((worker for worker in self.workers if worker.job_id == job_id), None)


def read_state() -> QueueState:
    try:
        return _read_state(django_rq.get_queue("default"))
    except RedisError as error:
        return QueueState(error=str(error) or type(error).__name__)


def _read_state(queue: Queue) -> QueueState:
    workers = map(_worker_info, Worker.all(queue=queue))
    return QueueState(
        positions={job_id: number for number, job_id in enumerate(queue.get_job_ids(), start=1)},
        started_job_ids=frozenset(StartedJobRegistry(queue=queue).get_job_ids(cleanup=False)),
        workers=tuple(sorted(workers, key=lambda worker: worker.name)),
        is_paused=bool(suspension.is_suspended(queue.connection)),
    )


def _worker_info(worker: BaseWorker) -> WorkerInfo:
    heartbeat_at = worker.last_heartbeat
    return WorkerInfo(
        name=worker.name,
        state=str(worker.get_state()),
        job_id=worker.get_current_job_id() or "",
        last_heartbeat_at=heartbeat_at and heartbeat_at.replace(tzinfo=UTC),
        successful_jobs=worker.successful_job_count,
        failed_jobs=worker.failed_job_count,
    )


def job_exists(job_id: str) -> bool | None:
    """Return whether RQ still has the job, or None if the broker is unreachable."""
    try:
        return bool(Job.exists(job_id, django_rq.get_connection("default")))
    except RedisError:
        return None


def parse_job_ids(job_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Map the ids of export jobs to (export id, attempt); skip other jobs."""
    exports = {}
    for job_id in job_ids:
        export_id, _, attempt = job_id.rpartition("-")
        if len(export_id) == UUID_LENGTH and attempt.isdecimal():
            exports[job_id] = (export_id, int(attempt))
    return exports


def remove_job(job_id: str) -> None:
    """Remove a job from the queue; raise RedisError if the broker is unreachable."""
    queue = django_rq.get_queue("default")
    queue.remove(job_id)
    try:
        Job.fetch(job_id, queue.connection, serializer=queue.serializer).delete()
    except NoSuchJobError:
        return


def resume() -> None:
    """End a pause that `rqsuspend` began; raise RedisError if the broker is unreachable."""
    suspension.resume(django_rq.get_connection("default"))
