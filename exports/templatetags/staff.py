"""Filters for the pages of the RQ dashboard."""

import re
from typing import Any
from uuid import UUID

from django import template
from django.utils.translation import gettext_lazy, pgettext_lazy
from rq.job import Job

from exports.models import ExportMail, ExportTask

register = template.Library()

SAFE_ARGUMENT = re.compile(r"[\w-]{1,64}\Z")

# RQ's names of states and django-rq's names of actions.
RQ_LABELS = {
    "queued": pgettext_lazy("job", "Queued"),
    "started": pgettext_lazy("job", "In hand"),
    "finished": pgettext_lazy("job", "Finished"),
    "successful": pgettext_lazy("job", "Finished"),
    "failed": pgettext_lazy("job", "Failed"),
    "retried": pgettext_lazy("job", "Failed"),
    "scheduled": pgettext_lazy("job", "Scheduled"),
    "deferred": pgettext_lazy("job", "Deferred"),
    "stopped": pgettext_lazy("job", "Stopped"),
    "canceled": pgettext_lazy("job", "Cancelled"),
    "busy": gettext_lazy("at work"),
    "idle": gettext_lazy("idle"),
    "suspended": pgettext_lazy("worker", "paused"),
    "delete": gettext_lazy("Delete"),
    "requeue": gettext_lazy("Queue again"),
    "stop": gettext_lazy("Stop"),
}


@register.filter
def export_task(job: Job) -> ExportTask | None:
    """Return the export that a job builds or mails; None for other jobs and deleted rows."""
    try:
        key = UUID(str(job.args[1]))
    except Exception:  # another kind of job: no arguments, unreadable ones, or no UUID
        return None
    tasks = ExportTask.objects.select_related("owner")
    mailed = ExportMail.objects.filter(pk=key).values("task")
    return tasks.filter(pk=key).first() or tasks.filter(pk__in=mailed).first()


@register.filter
def safe_arguments(job: Job) -> list[Any]:
    """Return a job's ids and numbers, and "…" for all other arguments, which can be private."""
    try:
        return [value if SAFE_ARGUMENT.match(str(value)) else "…" for value in job.args]
    except Exception:  # the serializer can raise anything
        return ["?"]


@register.filter
def rq_label(name: object) -> str:
    """Return the translated label of an RQ state or action, or the name itself if unknown."""
    return str(RQ_LABELS.get(str(name).lower(), name))
