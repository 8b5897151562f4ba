"""What the queue's dashboard shows of exports."""

import re
from typing import Any
from uuid import UUID

from django import template
from django.utils.translation import gettext_lazy, pgettext_lazy
from rq.job import Job

from exports.models import ExportMail, ExportTask

register = template.Library()

ID = re.compile(r"[\w-]{1,64}\Z")

# What RQ calls the states of jobs, runs and workers, and the dashboard its actions.
WORDS = {
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
def export_of(job: Job) -> ExportTask | None:
    """The export that a job builds or mails; None for other jobs, and for one whose row is gone."""
    try:
        key = UUID(str(job.args[0]))
    except Exception:  # no arguments, none that can be read, or no UUID: somebody else's job
        return None
    named = ExportTask.objects.select_related("owner")
    mailed = ExportMail.objects.filter(pk=key).values("task")
    return named.filter(pk=key).first() or named.filter(pk__in=mailed).first()


@register.filter
def ids_of(job: Job) -> list[Any]:
    """The arguments as far as they are mere keys and numbers: what else a job may carry is not for staff to read."""
    try:
        return [value if ID.match(str(value)) else "…" for value in job.args]
    except Exception:  # whatever the serializer makes of it
        return ["?"]


@register.filter
def in_words(word: object) -> str:
    """One of RQ's words in the reader's language; one that we do not know as it is."""
    return str(WORDS.get(str(word).lower(), word))
