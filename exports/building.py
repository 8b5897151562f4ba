"""The work of an export task: build its archive and store it."""

from typing import Any

from django.conf import settings

from tasks.heartbeat import Heartbeat
from tasks.models import TaskFailed
from tasks.models.clock import from_now

from . import delivery
from .archive import build as archive
from .models import ErrorCode, ExportTask


def build_archive(task: ExportTask, heartbeat: Heartbeat) -> dict[str, Any]:
    """Return the fields of the finished task."""
    if not archive.has_disk_space():
        raise TaskFailed(ErrorCode.DISK_FULL)
    with archive.open_archive_file(task, delivery.is_attachable) as file:
        result = archive.build(task.kind, task.owner, file, heartbeat)
        name = archive.store(task, file)
    return {
        "rows_done": result.rows,
        "rows_total": result.rows,
        "archive": name,
        "archive_bytes": result.size,
        "archive_sha256": result.sha256,
        "archive_expires_at": from_now(settings.EXPORT_KEEP_DAYS * 86400),
    }
