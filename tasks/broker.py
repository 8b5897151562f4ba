"""The queue: all access to RQ outside of the worker and the dashboard.

Every call may raise RedisError while the broker is down, unless its docstring says otherwise.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

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
from rq.worker import BaseWorker, Worker

from microblog import request_ids

from .models.clock import grace_seconds

logger = logging.getLogger(__name__)

QUEUE = "default"
FAILED_JOB_TTL_SECONDS = 7 * 86400  # RQ's own default is a year
# A worker or sweeper that has sent no heartbeat for so long counts as dead. A worker sends one
# every 15 seconds.
SILENT_SECONDS = 60
NEEDS_DISK_SPACE = "needs_disk_space"  # in the meta data of a job
IS_DISK_FULL = "is_disk_full"  # in the hash of a worker
MAX_ATTEMPT = 2**31 - 1  # of the column


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
    behind: str = "",
    timeout_seconds: int | None = None,
    needs_disk_space: bool = False,
) -> bool:
    """Enqueue a job; False, logged, if the broker is down. Call it after commit.

    `behind` is the id of the job that it follows, instead of the last one in the queue.
    """
    meta: dict[str, Any] = request_ids.job_meta()
    if needs_disk_space:
        meta[NEEDS_DISK_SPACE] = True
    try:
        queue = _queue()
        queue.enqueue(
            function,
            *args,
            job_id=job_id,
            at_front=at_front,
            job_timeout=timeout_seconds,
            failure_ttl=FAILED_JOB_TTL_SECONDS,
            meta=meta,
        )
        if behind:
            _move_behind(queue, job_id, behind)
    except RedisError as error:
        logger.warning("Job %s was not enqueued; the sweeper will retry: %s", job_id, error)
        return False
    return True


def _move_behind(queue: RQQueue, job_id: str, predecessor: str) -> None:
    """Move the last job behind another, or to the front if that has left the queue meanwhile.

    The job is in the queue twice for a moment; a second run is harmless.
    """
    redis: Any = queue.connection
    if redis.linsert(queue.key, "AFTER", predecessor, job_id) < 1:
        redis.lpush(queue.key, job_id)
    redis.lrem(queue.key, -1, job_id)


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


def is_paused() -> bool:
    """Return whether `rqsuspend` keeps the workers from taking jobs."""
    return bool(is_suspended(connection()))


def queue_length() -> int:
    return int(_queue().count)


def queued_job_ids() -> list[str]:
    return _queued_job_ids(_queue())


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
    queued = _queued_job_ids(queue)
    started = filter(_has_just_started, _execution_keys(queue))
    return {*queued, *(key.partition(":")[0] for key in started)}


def _queued_job_ids(queue: RQQueue) -> list[str]:
    """Return the ids from the front; RQ's own method fails at an id that is not UTF-8."""
    ids: Any = queue.connection.lrange(queue.key, 0, -1)
    return [_decode(job_id) for job_id in ids]


def _execution_keys(queue: RQQueue) -> list[str]:
    """Return "<job id>:<execution id>" of each job that RQ takes for started."""
    keys: Any = queue.connection.zrange(StartedJobRegistry(queue=queue).key, 0, -1)
    return [_decode(key) for key in keys]


def _decode(value: bytes) -> str:
    return value.decode(errors="replace")


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
    host: str
    last_heartbeat_at: datetime | None
    successful_jobs: int
    failed_jobs: int
    is_disk_full: bool = False
    """Whether it takes no jobs that need disk space."""

    @property
    def is_silent(self) -> bool:
        return (
            self.last_heartbeat_at is None
            or (timezone.now() - self.last_heartbeat_at).total_seconds() > SILENT_SECONDS
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
        # The dashboard has no page for a name with a slash, which RQ gives to no worker.
        workers = [worker for worker in Worker.all(queue=queue) if "/" not in worker.name]
        return QueueState(
            positions={
                job_id: position for position, job_id in enumerate(_queued_job_ids(queue), start=1)
            },
            started_job_ids=frozenset(key.partition(":")[0] for key in _execution_keys(queue)),
            workers=tuple(sorted(map(_worker_info, workers), key=lambda info: info.name)),
            is_paused=bool(is_suspended(queue.connection)),
        )
    except RedisError as error:
        return QueueState(error=str(error) or type(error).__name__)


def worker_count(heartbeat_within: float = math.inf) -> int:
    """Count the workers whose last heartbeat is at most that many seconds old."""
    workers = Worker.all(queue=_queue())
    return sum(_seconds_since_heartbeat(worker) <= heartbeat_within for worker in workers)


def full_worker_count() -> int:
    """Count the workers that take no jobs that need disk space."""
    return sum(map(_is_disk_full, Worker.all(queue=_queue())))


def _is_disk_full(worker: BaseWorker) -> bool:
    return bool(worker.connection.hexists(worker.key, IS_DISK_FULL))


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
        host=worker.hostname or "",
        last_heartbeat_at=last_heartbeat_at and last_heartbeat_at.replace(tzinfo=UTC),
        successful_jobs=worker.successful_job_count,
        failed_jobs=worker.failed_job_count,
        is_disk_full=_is_disk_full(worker),
    )


def parse_job_ids(job_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Map job ids of tasks to (task id, attempt); skip the ids of mails and of foreign jobs."""
    return {job_id: parsed for job_id in job_ids if (parsed := _parse_job_id(job_id))}


def _parse_job_id(job_id: str) -> tuple[str, int] | None:
    task_id, _, number = job_id.rpartition("-")
    try:
        parsed = UUID(task_id), int(number)
    except ValueError:
        return None
    # Other spellings of the same values are no ids of ours.
    is_ours = job_id == f"{parsed[0]}-{parsed[1]}" and 0 < parsed[1] <= MAX_ATTEMPT
    return (task_id, parsed[1]) if is_ours else None
