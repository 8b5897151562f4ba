"""Steps of the sweeper for imports: uploads and reports that are no longer needed."""

from datetime import datetime, timedelta

from django.utils import timezone

from microblog.storage import abort_uploads
from tasks import sweeper
from tasks.models.rows import BATCH_SIZE, change_each

from .models import FOLDER, Event, ImportTask, upload_storage
from .phases import delete_file

# A file is stored a moment before its row.
ORPHAN_AGE = timedelta(hours=1)


def discard_abandoned_previews() -> None:
    change_each(ImportTask.objects.abandoned(), lambda task: task.discard(Event.EXPIRED))


def delete_unneeded_files() -> None:
    """Delete uploads of imports that have ended, and reports that can no longer be asked for."""
    for field, tasks in (
        ("upload", ImportTask.objects.with_unneeded_upload()),
        ("report", ImportTask.objects.with_old_report()),
    ):
        for task in list(tasks[:BATCH_SIZE]):
            name = str(getattr(task, field).name)
            if delete_file(name):
                ImportTask.objects.filter(pk=task.pk, **{field: name}).update(**{field: ""})


def delete_orphaned_files() -> None:
    """Delete files without a task: their process died, or their owner was deleted."""
    storage = upload_storage()
    try:
        _folders, names = storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for file_name in names:
        name = f"{FOLDER}/{file_name}"
        if not _is_referenced(name) and _is_old(name):
            delete_file(name)


def abort_dead_uploads() -> None:
    def is_abandoned(name: str, began_at: datetime) -> bool:
        return began_at < timezone.now() - ORPHAN_AGE

    abort_uploads(upload_storage(), f"{FOLDER}/", is_abandoned)


def _is_referenced(name: str) -> bool:
    field = "report" if name.endswith(".csv") else "upload"
    return ImportTask.objects.filter(**{field: name}).exists()


def _is_old(name: str) -> bool:
    try:
        return upload_storage().get_modified_time(name) < timezone.now() - ORPHAN_AGE
    except FileNotFoundError:
        return False


def register() -> None:
    sweeper.register_step(discard_abandoned_previews)
    sweeper.register_step(delete_unneeded_files)
    sweeper.register_prune_step(delete_orphaned_files)
    sweeper.register_prune_step(abort_dead_uploads)
