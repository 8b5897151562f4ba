"""Worker class of `manage.py rqworker`."""

import gc
import logging
from typing import Any

from django.db import connections
from rq import Worker as RQWorker
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from microblog import request_ids

from . import jobs

logger = logging.getLogger(__name__)


class Worker(RQWorker):
    """RQ worker that refuses pickles, and recovers the tasks of killed work-horses.

    With `worker_ttl` 30 the heartbeat comes every 15 seconds, and the dashboard drops a dead
    worker after 90 seconds instead of 475.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args,
            **kwargs | {"serializer": JSONSerializer, "worker_ttl": 30, "maintenance_interval": 60},
        )

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Preload code before the first fork, and keep the garbage collector from copying it."""
        super().bootstrap(*args, **kwargs)
        jobs.preload()
        gc.freeze()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the job under the id of its request, which the work-horse inherits."""
        request_ids.activate(job.meta.get("request_id"))
        try:
            super().execute_job(job, queue)
        finally:
            request_ids.deactivate()

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        super().handle_work_horse_killed(  # type: ignore[no-untyped-call]
            job, retpid, ret_val, rusage
        )
        try:
            jobs.recover_killed_job(job)
        except Exception:
            logger.exception("Killed job %s not recovered; the sweeper will do so.", job.id)
        finally:
            connections.close_all()  # forked work-horses must not share a connection
