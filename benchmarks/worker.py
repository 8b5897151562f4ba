"""Worker that records the peak memory of each work-horse."""

import json
import os
import resource
from pathlib import Path
from typing import Any

from tasks import worker

from .installation import maxrss_bytes


class Worker(worker.Worker):
    """Worker that appends `[job id, bytes]` as a line of JSON to the file BENCHMARK_PEAKS."""

    def perform_job(self, job: Any, queue: Any, execution: Any) -> bool:
        result = super().perform_job(job, queue, execution)
        peak = maxrss_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        with Path(os.environ["BENCHMARK_PEAKS"]).open("a") as file:
            file.write(json.dumps([job.id, peak]) + "\n")
        return result
