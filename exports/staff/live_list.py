"""The moving part of the list: what each row says, from the rows, the queue and what owners were told. Reads only."""

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

from .queue import Queue

NOTHING = "–"


def describe(tasks: Sequence[ExportTask], known: Queue) -> dict[UUID, dict[str, Any]]:
    """By task: `value` of the bar, None where it has none, and words for each column; JSON-ready."""
    waits = _waits([task for task in tasks if task.status == Status.READY])
    return {task.pk: _cells(task, known, waits.get(task.notification_name)) for task in tasks}


def _cells(task: ExportTask, known: Queue, wait: list[int] | None) -> dict[str, Any]:
    is_running = task.status == Status.RUNNING
    value = (
        progress.percent(task.status, task.rows_done, task.rows_total)
        if task.is_unfinished
        else None
    )
    return {
        "status": task.status,
        "state": task.get_status_display(),
        "value": value,
        "rows": progress.render_count(task.rows_done, task.rows_total, task.kind),
        "place": str(known.place(task.job_id) or NOTHING),
        "attempts": _attempts(task),
        "worker": _worker(task, known) if is_running else NOTHING,
        "heard": _ago(timezone.now() - task.last_heartbeat_at)
        if is_running and task.last_heartbeat_at
        else NOTHING,
        "estimate": _estimate(task, wait),
        "mail": _mail(task),
    }


def _waits(ready: Sequence[ExportTask]) -> dict[str, list[int] | None]:
    """The minutes that those who wait were told, by the name of their news."""
    if not ready:
        return {}
    news = Notification.objects.filter(
        user__in=[task.owner_id for task in ready],
        name__in=[task.notification_name for task in ready],
    )
    return {name: payload.get("wait") for name, payload in news.values_list("name", "payload")}


def _attempts(task: ExportTask) -> str:
    if not task.crashes:
        return str(task.attempt)
    crashes = ngettext("%(n)d crash", "%(n)d crashes", task.crashes) % {"n": task.crashes}
    return f"{task.attempt} ({crashes})"


def _worker(task: ExportTask, known: Queue) -> str:
    if known.is_away:
        return NOTHING
    hand = known.hand_of(task.job_id)
    return hand.name[:8] if hand else _("none that RQ knows")


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    if seconds < 120:
        return _("%(n)d s ago") % {"n": seconds}
    return _("%(n)d min ago") % {"n": seconds // 60}


def _estimate(task: ExportTask, wait: list[int] | None) -> str:
    if task.status == Status.READY and wait:
        return progress.render_minutes(wait[0], wait[1])
    if task.status != Status.RUNNING or not task.started_at or not task.rows_done:
        return NOTHING
    pace = (timezone.now() - task.started_at).total_seconds() / task.rows_done
    minutes = int(pace * max(0, task.rows_total - task.rows_done) / 60)
    return progress.render_minutes(minutes, minutes + 1)


def _mail(task: ExportTask) -> str:
    mails = list(task.mails.all())
    if not mails:
        return NOTHING
    mail = mails[-1]
    if mail.bounced_at:
        return _("Refused by the provider")
    tries = ngettext("%(n)d try", "%(n)d tries", mail.tries) % {"n": mail.tries}
    return (
        f"{mail.get_status_display()} ({tries})"
        if mail.tries > 1 or mail.error
        else mail.get_status_display()
    )
