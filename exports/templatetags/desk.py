"""What the queue's dashboard shows of exports."""

import re
from typing import Any
from uuid import UUID

from django import template
from rq.job import Job

from exports.models import ExportMail, ExportTask

register = template.Library()

ID = re.compile(r"[\w-]{1,64}\Z")


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
