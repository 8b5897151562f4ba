"""A worker that notes the peak of each work-horse: a line of JSON, the job's id and bytes, in BENCHMARK_PEAKS."""

import json
import os
import resource
from pathlib import Path
from typing import Any

from exports import worker

from .installation import in_bytes


class Worker(worker.Worker):
    def perform_job(self, job: Any, queue: Any, execution: Any) -> bool:
        result = super().perform_job(job, queue, execution)
        peak = in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        with Path(os.environ["BENCHMARK_PEAKS"]).open("a") as file:
            file.write(json.dumps([job.id, peak]) + "\n")
        return result
