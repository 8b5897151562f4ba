"""What becomes of a person's exports when their account is deleted."""

from functools import partial

from django.db import transaction

from blog.models import User

from . import jobs
from .archive import build as archive
from .models import ExportTask


def withdraw_exports(owner: User) -> None:
    """Stop what is under way, and remove the archives. The rows go with their owner.

    A build that a worker has begun ends at its next heartbeat, and removes what it has written.
    """
    for task in ExportTask.objects.filter(owner=owner).select_for_update():
        if task.is_unfinished:
            transaction.on_commit(partial(jobs.withdraw, task.job_id), robust=True)
        if task.archive:
            transaction.on_commit(partial(archive.discard, str(task.archive.name)), robust=True)
