"""Steps of the sweeper for exports: expired archives, and files without an owner."""

from pathlib import PurePath
from uuid import UUID

from django.db.models import Q

from blog.models import Notification
from tasks import sweeper
from tasks.models.clock import from_now
from tasks.models.rows import BATCH_SIZE, change_each

from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportMail, ExportTask, Status
from .models.task import NOTIFICATION_PREFIX, archive_storage

Build = tuple[UUID, int]  # task and attempt


def expire_archives() -> None:
    expired_files = []

    def expire(task: ExportTask) -> None:
        name = str(task.archive.name)
        if task.expire():
            expired_files.append(name)

    change_each(ExportTask.objects.expired(), expire)
    for name in expired_files:
        archive.discard(name)


def remove_temporary_files() -> None:
    """Delete temporary files of builds that are finished, dead or superseded."""
    for path in archive.temporary_folder().glob(f"*{archive.TEMPORARY_SUFFIX}"):
        build = _parse_file_name(path.name)
        running = ExportTask.objects.filter(status=Status.RUNNING)
        if build is None or not running.filter(pk=build[0], attempt=build[1]).exists():
            path.unlink(missing_ok=True)


def remove_orphaned_archives() -> None:
    """Delete archives without a task.

    Their worker died right after it stored them, or their owner was deleted meanwhile.
    """
    storage = archive_storage()
    for kind in KINDS:
        try:
            _, names = storage.listdir(kind)
        except FileNotFoundError:
            continue
        for start in range(0, len(names), BATCH_SIZE):
            batch = names[start : start + BATCH_SIZE]
            builds = {f"{kind}/{name}": _parse_file_name(name) for name in batch}
            for path in builds.keys() - _referenced_archives(builds):
                archive.discard(path)


def _referenced_archives(builds: dict[str, Build | None]) -> set[str]:
    """Return the paths that belong to a task, or to a build that is about to record them."""
    task_ids = {build[0] for build in builds.values() if build}
    tasks = ExportTask.objects.filter(
        Q(archive__in=builds) | Q(pk__in=task_ids, status=Status.RUNNING)
    )
    rows = list(tasks.values_list("pk", "attempt", "status", "archive"))
    recorded = {name for *_, name in rows}
    running = {(pk, attempt) for pk, attempt, status, _ in rows if status == Status.RUNNING}
    return recorded | {path for path, build in builds.items() if build in running}


def prune_details() -> None:
    """Delete old notifications, and old reasons of bounces, which may hold an address."""
    old = from_now(-sweeper.KEEP_DETAIL_DAYS * 86400)
    old_mails = ExportMail.objects.filter(created_at__lt=old)
    old_mails.exclude(bounce_reason="").update(bounce_reason="")
    Notification.objects.filter(name__startswith=NOTIFICATION_PREFIX, updated_at__lt=old).delete()


def _parse_file_name(file_name: str) -> Build | None:
    """Return the build that wrote `<task>-<attempt>.<suffixes>`; None for other names."""
    task_id, _, attempt = PurePath(file_name).name.partition(".")[0].rpartition("-")
    try:
        return UUID(task_id), int(attempt)
    except ValueError:
        return None


def register() -> None:
    sweeper.register_step(expire_archives)
    sweeper.register_step(remove_temporary_files)
    sweeper.register_prune_step(prune_details)
    sweeper.register_prune_step(remove_orphaned_archives)
