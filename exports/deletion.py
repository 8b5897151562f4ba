"""The exports' step of an account deletion, registered in `apps`."""

from blog.models import User
from microblog.transactions import run_after_commit
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
            run_after_commit(broker.remove_job, task.job_id)
        if task.archive:
            run_after_commit(archive.discard, str(task.archive.name))
