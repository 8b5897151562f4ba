"""Live cells of the export list, from the rows, the queue and the owners' notifications."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from blog.models import Notification
from exports import progress
from exports.models import ExportTask, Status
from tasks.broker import QueueState

EMPTY = "–"

Minutes = list[int]  # the least and the most


def render_cells(tasks: Sequence[ExportTask], queue: QueueState) -> dict[UUID, dict[str, Any]]:
    """Map each task to its cells by column, JSON-ready; `value` is None without a progress bar."""
    waits = _promised_waits([task for task in tasks if task.status == Status.READY])
    return {task.pk: _render_row(task, queue, waits.get(task.notification_name)) for task in tasks}


def _render_row(task: ExportTask, queue: QueueState, wait: Minutes | None) -> dict[str, Any]:
    is_running = task.status == Status.RUNNING
    value = None
    if task.is_unfinished:
        value = progress.percent(task.status, task.rows_done, task.rows_total)
    heartbeat_at = task.last_heartbeat_at if is_running else None
    return {
        "status": task.status,
        "state": task.get_status_display(),
        "value": value,
        "rows": progress.render_count(task.rows_done, task.rows_total, task.kind),
        "position": str(queue.positions.get(task.job_id, EMPTY)),
        "attempts": _render_attempts(task),
        "worker": _render_worker(task, queue) if is_running else EMPTY,
        "last_heartbeat": _render_age(timezone.now() - heartbeat_at) if heartbeat_at else EMPTY,
        "estimate": _render_estimate(task, wait),
        "mail": _render_mail(task),
    }


def _promised_waits(ready_tasks: Sequence[ExportTask]) -> dict[str, Minutes | None]:
    """Map notification names to the estimated wait that the owners were last shown."""
    if not ready_tasks:
        return {}
    notifications = Notification.objects.filter(
        user__in=[task.owner_id for task in ready_tasks],
        name__in=[task.notification_name for task in ready_tasks],
    )
    return {
        name: payload.get("wait") for name, payload in notifications.values_list("name", "payload")
    }


def _render_attempts(task: ExportTask) -> str:
    if not task.crashes:
        return str(task.attempt)
    crashes = ngettext("%(n)d crash", "%(n)d crashes", task.crashes) % {"n": task.crashes}
    return f"{task.attempt} ({crashes})"


def _render_worker(task: ExportTask, queue: QueueState) -> str:
    if queue.is_unreachable:
        return EMPTY
    worker = queue.worker_for(task.job_id)
    return worker.name[:8] if worker else _("none that RQ knows")


def _render_age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    if seconds < 120:
        return _("%(n)d s ago") % {"n": seconds}
    return _("%(n)d min ago") % {"n": seconds // 60}


def _render_estimate(task: ExportTask, wait: Minutes | None) -> str:
    if task.status == Status.READY and wait:
        return progress.render_minutes(wait[0], wait[1])
    if task.status != Status.RUNNING or not task.started_at or not task.rows_done:
        return EMPTY
    seconds_per_row = (timezone.now() - task.started_at).total_seconds() / task.rows_done
    minutes = int(seconds_per_row * max(0, task.rows_total - task.rows_done) / 60)
    return progress.render_minutes(minutes, minutes + 1)


def _render_mail(task: ExportTask) -> str:
    mails = list(task.mails.all())
    if not mails:
        return EMPTY
    mail = mails[-1]
    if mail.bounced_at:
        return _("Refused by the provider")
    status = mail.get_status_display()
    if mail.tries > 1 or mail.error:
        tries = ngettext("%(n)d try", "%(n)d tries", mail.tries) % {"n": mail.tries}
        return f"{status} ({tries})"
    return status
