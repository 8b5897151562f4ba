"""The imports' step of an account deletion, registered in `apps`."""

from functools import partial

from django.db import transaction

from blog.models import User
from tasks import broker

from .models import ImportTask
from .phases import delete_file


def remove_imports(owner: User) -> None:
    """Cancel the owner's imports, and delete uploads, reports and jobs after commit.

    The rows are deleted with the account. A running import stops at its next batch.
    """
    for task in ImportTask.objects.filter(owner=owner).select_for_update():
        if task.cancel() or task.discard():
            transaction.on_commit(partial(broker.remove_job, task.job_id), robust=True)
        for file in filter(None, (task.upload, task.report)):
            transaction.on_commit(partial(delete_file, str(file.name)), robust=True)
