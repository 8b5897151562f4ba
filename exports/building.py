"""The work of an export task: build its archive and store it."""

import errno
from functools import partial
from typing import Any

from django.conf import settings

from tasks.heartbeat import Heartbeat
from tasks.models import MAX_CRASHES, TaskFailed
from tasks.models.clock import from_now

from . import delivery
from .archive import build as archive
from .models import ErrorCode, ExportTask

DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)


def build_archive(task: ExportTask, heartbeat: Heartbeat) -> dict[str, Any]:
    """Return the fields of the finished task."""
    try:
        with archive.open_archive_file(task, delivery.is_attachable) as file:
            result = archive.build(task.kind, task.owner, file, heartbeat)
            name = archive.store(task, file, keep_alive=partial(heartbeat.report, result.rows))
    except OSError as error:
        is_last_attempt = task.crashes + 1 == MAX_CRASHES
        if error.errno in DISK_FULL_ERRORS and is_last_attempt:
            raise TaskFailed(ErrorCode.DISK_FULL) from error
        raise
    return {
        "rows_done": result.rows,
        "rows_total": result.rows,
        "archive": name,
        "archive_bytes": result.size,
        "archive_sha256": result.sha256,
        "archive_expires_at": from_now(settings.EXPORT_KEEP_DAYS * 86400),
    }
