"""The worker that a plain `manage.py rqworker` runs."""

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
    """RQ's own worker, which takes no pickles, notices deaths soon, and tells our row of them.

    With `worker_ttl` 30 it beats every 15 seconds and is gone from the dashboard 90 seconds after its death, instead
    of 475.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args,
            **kwargs | {"serializer": JSONSerializer, "worker_ttl": 30, "maintenance_interval": 60},
        )

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Load before the first fork what each work-horse would load anew, and keep the collector's hands off it."""
        super().bootstrap(*args, **kwargs)
        jobs.warm_up()
        gc.freeze()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run it under the id of the request that it comes from; the work-horse inherits that."""
        request_ids.activate(job.meta.get("request_id"))
        try:
            super().execute_job(job, queue)
        finally:
            request_ids.deactivate()

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)  # type: ignore[no-untyped-call]
        try:
            jobs.work_horse_died(job)
        except Exception:
            logger.exception(
                "Job %s: its death could not be recorded; the sweeper will find it.", job.id
            )
        finally:
            connections.close_all()  # or every later work-horse would inherit this process's connection
