"""The queue: all access to RQ outside of the worker and the dashboard.

Every call may raise RedisError while the broker is down, unless its docstring says otherwise.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import django_rq
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError, WatchError
from rq import Queue as RQQueue
from rq import get_current_job
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.suspension import is_suspended, resume
from rq.utils import as_text
from rq.worker import BaseWorker, Worker

from microblog import request_ids

from .models.clock import grace_seconds

logger = logging.getLogger(__name__)

QUEUE = "default"
FAILED_JOB_TTL_SECONDS = 7 * 86400  # RQ's own default is a year
WORKER_TIMEOUT = timedelta(seconds=60)  # a worker sends a heartbeat every 15 seconds
UUID_LENGTH = 36


def _queue() -> RQQueue:
    return django_rq.get_queue(QUEUE)


def connection() -> Redis:
    return django_rq.get_connection(QUEUE)


def ping() -> None:
    connection().ping()


def enqueue(
    job_id: str,
    function: Callable[..., None],
    *args: str | int,
    at_front: bool = False,
    timeout_seconds: int | None = None,
) -> bool:
    """Enqueue a job; False, logged, if the broker is down. Call it after commit."""
    try:
        _queue().enqueue(
            function,
            *args,
            job_id=job_id,
            at_front=at_front,
            job_timeout=timeout_seconds,
            failure_ttl=FAILED_JOB_TTL_SECONDS,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        logger.warning("Job %s was not enqueued; the sweeper will retry: %s", job_id, error)
        return False
    return True


def remove_job(job_id: str) -> bool:
    """Remove a job and its data from the queue; False, logged, if the broker is down.

    A job that stays is harmless: it finds nothing to do.
    """
    try:
        queue = _queue()
        queue.remove(job_id)
        queue.connection.delete(Job.key_for(job_id))
    except RedisError as error:
        logger.warning("Job %s was not removed from the queue: %s", job_id, error)
        return False
    return True


def queue_length() -> int:
    return int(_queue().count)


def resume_workers() -> None:
    """End a pause that `rqsuspend` began."""
    resume(connection())


def job_exists(job_id: str) -> bool | None:
    """Return whether RQ still has the job; None while the broker is down."""
    try:
        return bool(Job.exists(job_id, connection()))
    except RedisError:
        return None


def job_error(job_id: str) -> str:
    """Return the last line of the job's traceback, or an empty string if RQ has none."""
    try:
        result = Job.fetch(job_id, connection(), serializer=_queue().serializer).latest_result()
    except (RedisError, NoSuchJobError):
        return ""
    lines = (result.exc_string or "").strip().splitlines() if result else []
    return lines[-1] if lines else ""


def current_job_id() -> str | None:
    job = get_current_job()
    return job.id if job else None


def jobs_in_hand() -> set[str]:
    """Return ids of jobs that are queued or were taken too recently to have claimed their row.

    A job hash, or an entry in the registry of started jobs, proves nothing: both outlive a killed
    worker. Start times come from the workers' clocks; a wrong clock only enqueues a job needlessly.
    """
    queue = _queue()
    # Read in the order in which a job moves: otherwise a job could be missed in both places.
    queued = queue.get_job_ids()
    executions: Any = connection().zrange(StartedJobRegistry(queue=queue).key, 0, -1)
    started = [as_text(key) for key in executions if _has_just_started(as_text(key))]
    return {*queued, *(key.partition(":")[0] for key in started)}


def _has_just_started(execution_key: str) -> bool:
    """Whether a worker began this execution, "<job id>:<execution id>", within the grace period.

    The execution is saved before the work horse is forked. The job's own `started_at` is saved by
    the work horse, which a busy machine may delay for longer than the grace period.
    """
    created_at: Any = connection().hget(f"rq:execution:{execution_key}", "created_at")
    try:
        age = time.time() - float(created_at or b"")
    except ValueError:
        # The worker or broker died before the start was recorded; a second job is harmless.
        return False
    return 0 <= age < grace_seconds()


class JobProgress:
    """Progress of the current job in the RQ dashboard.

    Uses a connection of its own: RQ's waits 25 seconds for an answer, longer than a lease. Gives
    up for good, logged, when the broker fails.
    """

    def __init__(self, job_id: str) -> None:
        self._key = Job.key_for(job_id)
        self._connection: Redis | None = connection()

    def show(self, rows_done: int, rows_total: int) -> None:
        if self._connection is None:
            return
        progress = {"done": rows_done, "total": max(rows_done, rows_total)}
        try:
            self._update_meta(self._connection, progress)
        except WatchError:
            logger.debug("The worker changed the job meanwhile; the next heartbeat shows progress.")
        except RedisError as error:
            logger.warning("Progress is not shown in the dashboard: %s", error)
            self._connection = None

    def _update_meta(self, redis: Redis, progress: dict[str, int]) -> None:
        serializer = _queue().serializer
        with redis.pipeline() as pipeline:
            pipeline.watch(self._key)  # type: ignore[no-untyped-call]  # not annotated
            # Writing to a deleted hash would create it again, without its other fields and TTL.
            if not pipeline.exists(self._key):
                return
            stored: Any = pipeline.hget(self._key, "meta")
            meta = serializer.loads(stored) if stored else {}
            pipeline.multi()
            pipeline.hset(self._key, "meta", serializer.dumps(meta | {"progress": progress}))
            pipeline.execute()


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """State of a worker process as RQ has recorded it."""

    name: str
    state: str
    job_id: str
    last_heartbeat_at: datetime | None
    successful_jobs: int
    failed_jobs: int

    @property
    def is_silent(self) -> bool:
        return (
            self.last_heartbeat_at is None
            or timezone.now() - self.last_heartbeat_at > WORKER_TIMEOUT
        )

    @property
    def key(self) -> str:
        return f"rq:worker:{self.name}"


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A snapshot of the queue. If the broker does not answer, only `error` is set."""

    error: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    """Positions of queued jobs, from 1, by job id."""
    started_job_ids: frozenset[str] = frozenset()
    workers: tuple[WorkerInfo, ...] = ()
    is_paused: bool = False

    @property
    def is_unreachable(self) -> bool:
        return bool(self.error)

    def worker_for(self, job_id: str) -> WorkerInfo | None:
        return next((worker for worker in self.workers if worker.job_id == job_id), None)


def read_state() -> QueueState:
    """Read the queue; never raises RedisError."""
    try:
        queue = _queue()
        workers = sorted(map(_worker_info, Worker.all(queue=queue)), key=lambda info: info.name)
        return QueueState(
            positions={id_: position for position, id_ in enumerate(queue.get_job_ids(), start=1)},
            started_job_ids=frozenset(StartedJobRegistry(queue=queue).get_job_ids(cleanup=False)),
            workers=tuple(workers),
            is_paused=bool(is_suspended(queue.connection)),
        )
    except RedisError as error:
        return QueueState(error=str(error) or type(error).__name__)


def worker_count(heartbeat_within: float = math.inf) -> int:
    """Count the workers whose last heartbeat is at most that many seconds old."""
    workers = Worker.all(queue=_queue())
    return sum(_seconds_since_heartbeat(worker) <= heartbeat_within for worker in workers)


def _seconds_since_heartbeat(worker: BaseWorker) -> float:
    if worker.last_heartbeat is None:
        return math.inf
    return (datetime.now(UTC) - worker.last_heartbeat.replace(tzinfo=UTC)).total_seconds()


def _worker_info(worker: BaseWorker) -> WorkerInfo:
    last_heartbeat_at = worker.last_heartbeat
    return WorkerInfo(
        name=worker.name,
        state=str(worker.get_state()),
        job_id=worker.get_current_job_id() or "",
        last_heartbeat_at=last_heartbeat_at and last_heartbeat_at.replace(tzinfo=UTC),
        successful_jobs=worker.successful_job_count,
        failed_jobs=worker.failed_job_count,
    )


def parse_job_ids(job_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Map job ids of tasks to (task id, attempt); skip other jobs."""
    found = {}
    for job_id in job_ids:
        task_id, _, attempt = job_id.rpartition("-")
        if len(task_id) == UUID_LENGTH and attempt.isdecimal():
            found[job_id] = (task_id, int(attempt))
    return found
