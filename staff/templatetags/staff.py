"""Filters for the pages of tasks and of the RQ dashboard."""

import re
from typing import Any

from django import template
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, pgettext_lazy
from rq.job import Job

from staff.admin.base import link
from tasks.models import Mail, Task, mail_models, task_models

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


register.filter("link_to_row", link)


@register.filter
def link_to_job_row(job: Job) -> SafeString | str:
    """Return a link to the task that a job runs or mails, or to its mail; "" for other jobs."""
    row = _find_job_row(job)
    task = getattr(row, "task", row)
    return link(task) if task else ""


def _find_job_row(job: Job) -> Task | Mail | None:
    try:
        label, key = map(str, job.args[:2])
    except Exception:  # another kind of job, or the serializer, which can raise anything
        return None
    models: dict[str, Any] = {
        model._meta.label: model for model in (*task_models(), *mail_models())
    }
    try:
        return models[label].objects.filter(pk=key).first()  # type: ignore[no-any-return]
    except (KeyError, ValidationError):  # no kind of task or mail, or no UUID
        return None


@register.filter
def safe_arguments(job: Job) -> list[Any]:
    """Return a job's ids and numbers, and "…" for all other arguments, which can be private."""
    try:
        return [value if SAFE_ARGUMENT.match(str(value)) else "…" for value in job.args]
    except Exception:  # the serializer can raise anything
        return ["?"]


@register.filter
def rq_label(name: object) -> str:
    return str(RQ_LABELS.get(str(name).lower(), name))
