"""The exports' step of an account deletion, registered in `apps`."""

from functools import partial

from django.db import transaction

from blog.models import User
from tasks import broker

from .archive import build as archive
from .models import ExportTask


def remove_exports(owner: User) -> None:
    """Cancel the owner's unfinished exports, and delete archives and jobs after commit.

    The rows are deleted with the account. A running build stops at its next heartbeat and deletes
    its files.
    """
    for task in ExportTask.objects.filter(owner=owner).select_for_update():
        if task.cancel():
            transaction.on_commit(partial(broker.remove_job, task.job_id), robust=True)
        if task.archive:
            transaction.on_commit(partial(archive.discard, str(task.archive.name)), robust=True)
