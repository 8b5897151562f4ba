"""The imports' step of an account deletion, registered in `apps`."""

from blog.models import User
from microblog.transactions import run_after_commit
from tasks import broker

from .models import ImportTask
from .phases import delete_file


def remove_imports(owner: User) -> None:
    """Cancel the owner's imports, and delete uploads, reports and jobs after commit.

    The rows are deleted with the account. A running import stops at its next batch.
    """
    for task in ImportTask.objects.filter(owner=owner).select_for_update():
        if task.cancel() or task.discard():
            run_after_commit(broker.remove_job, task.job_id)
        for file in filter(None, (task.upload, task.report)):
            run_after_commit(delete_file, str(file.name))
