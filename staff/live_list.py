"""Live cells of a list of tasks, from the rows, the queue and what the owners were told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks.broker import QueueState
from tasks.models import Mail, Status, Task
from tasks.progress import percent, render_minutes

EMPTY = "–"

Minutes = list[int]  # the least and the most
Cells = dict[str, Any]


class LiveCells:
    """Cells of one kind of task. A kind can override how its rows and mails are described."""

    def render_count(self, task: Any) -> str:
        """Return for example "1,200 of 5,000"; the total is an estimate and may be too low."""
        total = max(task.rows_done, task.rows_total)
        numbers = {"done": intcomma(task.rows_done), "total": intcomma(total)}
        return _("%(done)s of %(total)s") % numbers

    def render_mail(self, mail: Any) -> str:
        return render_mail_status(mail)

    def render_all(self, tasks: Sequence[Task], queue: QueueState) -> dict[UUID, Cells]:
        """Map tasks to cells by column, JSON-ready; `value` is None without a progress bar."""
        ready = [task.pk for task in tasks if task.status == Status.READY]
        shown = type(tasks[0]).last_notified(ready) if ready else {}
        return {
            task.pk: self._render_row(task, queue, shown.get(task.pk, {}).get("wait"))
            for task in tasks
        }

    def _render_row(self, task: Any, queue: QueueState, wait: Minutes | None) -> Cells:
        is_running = task.status == Status.RUNNING
        value = None
        if task.is_unfinished:
            value = percent(task.status, task.rows_done, task.rows_total)
        heartbeat_at = task.last_heartbeat_at if is_running else None
        mails = list(task.mails.all()) if hasattr(task, "mails") else []
        return {
            "status": task.status,
            "state": task.get_status_display(),
            "value": value,
            "rows": self.render_count(task),
            "position": str(queue.positions.get(task.job_id, EMPTY)),
            "attempts": _render_attempts(task),
            "worker": _render_worker(task, queue) if is_running else EMPTY,
            "last_heartbeat": _render_age(timezone.now() - heartbeat_at) if heartbeat_at else EMPTY,
            "estimate": _render_estimate(task, wait),
            "mail": self.render_mail(mails[-1]) if mails else EMPTY,
        }


def render_mail_status(mail: Mail) -> str:
    status = mail.get_status_display()
    if mail.tries > 1 or mail.error:
        tries = ngettext("%(n)d try", "%(n)d tries", mail.tries) % {"n": mail.tries}
        return f"{status} ({tries})"
    return status


def _render_attempts(task: Task) -> str:
    if not task.crashes:
        return str(task.attempt)
    crashes = ngettext("%(n)d crash", "%(n)d crashes", task.crashes) % {"n": task.crashes}
    return f"{task.attempt} ({crashes})"


def _render_worker(task: Task, queue: QueueState) -> str:
    if queue.is_unreachable:
        return EMPTY
    worker = queue.worker_for(task.job_id)
    return worker.name[:8] if worker else _("none that RQ knows")


def _render_age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    if seconds < 120:
        return _("%(n)d s ago") % {"n": seconds}
    return _("%(n)d min ago") % {"n": seconds // 60}


def _render_estimate(task: Task, wait: Minutes | None) -> str:
    if task.status == Status.READY and wait:
        return render_minutes(wait[0], wait[1])
    if task.status != Status.RUNNING or not task.started_at or not task.rows_done:
        return EMPTY
    seconds_per_row = (timezone.now() - task.started_at).total_seconds() / task.rows_done
    minutes = int(seconds_per_row * max(0, task.rows_total - task.rows_done) / 60)
    return render_minutes(minutes, minutes + 1)
