"""Steps of the sweeper for imports: uploads and reports that are no longer needed."""

from datetime import timedelta

from django.utils import timezone

from blog.models import Notification
from tasks import sweeper
from tasks.models.clock import from_now
from tasks.models.rows import BATCH_SIZE, change_each

from .models import Event, ImportTask, upload_storage
from .models.task import NOTIFICATION_PREFIX
from .phases import delete_file
from .uploads import FOLDER

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
            delete_file(name)
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


def _is_referenced(name: str) -> bool:
    field = "report" if name.endswith(".csv") else "upload"
    return ImportTask.objects.filter(**{field: name}).exists()


def _is_old(name: str) -> bool:
    try:
        return upload_storage().get_modified_time(name) < timezone.now() - ORPHAN_AGE
    except FileNotFoundError:
        return False


def prune_notifications() -> None:
    old = from_now(-sweeper.KEEP_DETAIL_DAYS * 86400)
    Notification.objects.filter(name__startswith=NOTIFICATION_PREFIX, updated_at__lt=old).delete()


def register() -> None:
    sweeper.register_step(discard_abandoned_previews)
    sweeper.register_step(delete_unneeded_files)
    sweeper.register_prune_step(delete_orphaned_files)
    sweeper.register_prune_step(prune_notifications)
