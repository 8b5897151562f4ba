"""The RQ worker that `manage.py rqworker` runs, and the only jobs that it runs."""

import gc
import logging
from collections.abc import Callable
from typing import Any

from django.db import connections
from redis.client import Pipeline
from rq import Worker as RQWorker
from rq import worker_registration
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import decode_redis_hash

from microblog import request_ids

from . import jobs

logger = logging.getLogger(__name__)

FORBIDDEN_FIELDS = (
    "success_callback_name",
    "failure_callback_name",
    "stopped_callback_name",
    "webhooks",
)


class ForeignJob(Exception):
    """The job is not one that this project enqueues."""


class Job(RQJob):
    """A job that can only name a registered function, and neither callbacks nor webhooks.

    RQ imports whatever a job hash names, so whoever can write to the broker could run any code.
    """

    foreign: str = ""
    """Reason why the job must not run; empty for our own jobs."""

    def restore(self, raw_data: Any) -> Any:
        """Load the job hash. An unreadable hash counts as missing, so that the worker survives it.

        The id of a missing job is removed from the intermediate queue by RQ's maintenance.
        """
        try:
            result = super().restore(raw_data)
            self.foreign = self._foreign_reason(decode_redis_hash(raw_data))
        except NoSuchJobError:
            raise
        except Exception as error:
            logger.warning("Job %s is unreadable and is dropped: %r", self.id, error)
            raise NoSuchJobError(f"Unreadable job: {self.id}") from error
        self.webhooks = []
        return result

    @property
    def func(self) -> Callable[..., None]:
        if self.foreign:
            raise ForeignJob(self.foreign)
        return jobs.REGISTERED[str(self.func_name)]

    # Our jobs have no callbacks, so every look-up by RQ (worker, maintenance, dashboard) gets None.
    success_callback = failure_callback = stopped_callback = property(lambda self: None)

    def _foreign_reason(self, fields: dict[str, bytes]) -> str:
        if self.func_name not in jobs.REGISTERED or self.instance is not None:
            return f"the function {self.func_name} is not registered"
        return next((f"it has {name}" for name in FORBIDDEN_FIELDS if fields.get(name)), "")


class Worker(RQWorker):
    """RQ's worker: refuses foreign jobs and pickles, and retries the work of killed processes.

    With these intervals it sends a heartbeat every 15 seconds, idle or working, and disappears from
    the dashboard 90 seconds after its death, instead of 475.
    """

    job_class = Job

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fixed = {
            "serializer": JSONSerializer,
            "job_class": Job,
            "worker_ttl": 30,
            "job_monitoring_interval": 15,
            "maintenance_interval": 60,
        }
        super().__init__(*args, **kwargs | fixed)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Load once what every work horse needs, and exempt it from garbage collection."""
        super().bootstrap(*args, **kwargs)
        jobs.preload()
        gc.freeze()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        if pipeline is None:
            self._register_after_flush()

    def maintain_heartbeats(self, job: RQJob, execution: Execution) -> None:
        super().maintain_heartbeats(job, execution)
        self._register_after_flush()

    def _register_after_flush(self) -> None:
        """Register again after the broker was flushed, because RQ counts only registered workers.

        RQ itself restores the hash of a worker that runs a job, but not the registration.
        """
        if not self.connection.sismember(self.redis_workers_keys, self.key):
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)

    def execute_job(self, job: RQJob, queue: Queue) -> None:
        """Run a job under the id of the request that caused it; refuse a foreign one."""
        if foreign := getattr(job, "foreign", ""):
            self._refuse(job, queue, foreign)
            return
        request_ids.activate(job.meta.get("request_id"))
        try:
            super().execute_job(job, queue)
        finally:
            request_ids.deactivate()

    def _refuse(self, job: RQJob, queue: Queue, reason: str) -> None:
        logger.error("Job %s was refused: %s.", job.id, reason)
        job.retries_left = None
        self.handle_job_failure(job, queue, exc_string=f"Refused: {reason}.")
        self.connection.lrem(queue.intermediate_queue_key, 1, job.id)

    def handle_work_horse_killed(self, job: RQJob, retpid: int, ret_val: int, rusage: Any) -> None:
        handle: Any = super().handle_work_horse_killed  # not annotated by RQ
        handle(job, retpid, ret_val, rusage)
        try:
            jobs.work_horse_killed(str(job.func_name), list(job.args))
        except Exception:
            logger.exception("Job %s: its crash was not recorded; the sweeper will.", job.id)
        finally:
            connections.close_all()  # later work horses must not inherit this connection
