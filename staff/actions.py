"""Actions that staff can take on tasks, each by POST after a confirmation page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from tasks import broker, jobs
from tasks.models import Status, Task

MAX_SELECTED = 100  # tasks in one confirmation

Followup = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Action:
    """Action on one task.

    `perform` takes the task and the acting user. It changes the row and returns the follow-up
    outside of the database; None if the task was not in a state for the action, which
    `is_available` predicts. The follow-up returns False if the broker is unreachable; the sweeper
    makes up for it later.
    `log_message` is in English, because the log is for all operators.
    """

    name: str
    codename: str = "operate"
    """What the user's permission on this kind of task begins with."""
    label: StrOrPromise
    explanation: StrOrPromise
    log_message: str
    is_available: Callable[[Any], bool]
    perform: Callable[[Any, Any], Followup | None]


def is_unfinished(task: Task) -> bool:
    return task.is_unfinished


def is_cancellable(task: Task) -> bool:
    return task.is_unfinished and task.is_cancellable


def cancel(task: Task, actor: Any) -> Followup | None:
    return partial(broker.remove_job, task.job_id) if task.cancel(actor) else None


def rescue(task: Task, actor: Any) -> Followup | None:
    """Enqueue a new attempt; a worker that has the old one loses its lease and stops."""
    if task.status == Status.RUNNING:
        return partial(jobs.enqueue_next, task) if task.release(actor) else None
    old_job_id = task.job_id
    return partial(_replace_job, old_job_id, task) if task.requeue(actor) else None


def _replace_job(old_job_id: str, task: Task) -> bool:
    return broker.remove_job(old_job_id) and jobs.enqueue_next(task)


CANCEL = Action(
    name="cancel",
    label=_("Cancel"),
    explanation=_("The work stops, no e-mail is sent, and the owner sees that it was cancelled."),
    log_message="Cancelled.",
    is_available=is_cancellable,
    perform=cancel,
)
RESCUE = Action(
    name="rescue",
    label=_("Rescue"),
    explanation=_(
        "The work is put in front of the queue as a new attempt. A worker that still has the old "
        "one stops."
    ),
    log_message="Rescued: enqueued as a new attempt.",
    is_available=is_unfinished,
    perform=rescue,
)
