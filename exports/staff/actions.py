"""Actions that staff can take on exports, each by POST after a confirmation page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.models import User
from exports import requests
from exports.archive import build as archive
from exports.models import ExportTask, Status
from tasks import broker, jobs

from .permissions import OPERATE

MAX_SELECTED = 100  # exports in one confirmation

Followup = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Action:
    """Action on one export.

    `perform` changes the row and returns the follow-up outside of the database; None if the
    export was not in a state for the action, which `is_available` predicts. The follow-up
    returns False if the broker is unreachable; the sweeper makes up for it later.
    `log_message` is in English, because the log is for all operators.
    """

    name: str
    permission: str
    label: StrOrPromise
    explanation: StrOrPromise
    log_message: str
    is_available: Callable[[ExportTask], bool]
    perform: Callable[[ExportTask, User], Followup | None]


def is_unfinished(task: ExportTask) -> bool:
    return task.is_unfinished


def is_resendable(task: ExportTask) -> bool:
    return task.is_resendable


def has_archive(task: ExportTask) -> bool:
    return bool(task.archive)


def can_be_requested_again(task: ExportTask) -> bool:
    return not task.is_unfinished and task.owner.is_active


def cancel(task: ExportTask, actor: User) -> Followup | None:
    return partial(broker.remove_job, task.job_id) if task.cancel(actor) else None


def rescue(task: ExportTask, actor: User) -> Followup | None:
    """Enqueue a new attempt; a worker that has the old one loses its lease and stops."""
    if task.status == Status.RUNNING:
        return partial(jobs.enqueue_next, task) if task.release(actor) else None
    old_job_id = task.job_id
    return partial(_replace_job, old_job_id, task) if task.requeue(actor) else None


def _replace_job(old_job_id: str, task: ExportTask) -> bool:
    return broker.remove_job(old_job_id) and jobs.enqueue_next(task)


def resend(task: ExportTask, actor: User) -> Followup | None:
    mail = task.resend(actor)
    return partial(jobs.enqueue_mail, mail) if mail else None


def expire(task: ExportTask, actor: User) -> Followup | None:
    name = str(task.archive.name)
    return partial(_discard_archive, name) if task.expire(actor) else None


def _discard_archive(name: str) -> bool:
    archive.discard(name)
    return True


def request(task: ExportTask, actor: User) -> Followup | None:
    """Request a new export for the owner, without the cooldown."""
    if not task.owner.is_active:
        return None
    try:
        new_task, is_new = requests.create_task(task.owner, task.kind, task.language, actor)
    except requests.DiskFull:
        return None
    return partial(jobs.enqueue_task, new_task) if is_new else None


ACTIONS = {
    action.name: action
    for action in (
        Action(
            name="cancel",
            permission="exports.cancel_exporttask",
            label=_("Cancel"),
            explanation=_(
                "The build stops, no e-mail is sent, and the owner sees that it was cancelled."
            ),
            log_message="Cancelled.",
            is_available=is_unfinished,
            perform=cancel,
        ),
        Action(
            name="resend",
            permission="exports.resend_exporttask",
            label=_("Send the e-mail again"),
            explanation=_(
                "Another e-mail, with another Message-ID, goes to the address that the owner has "
                "confirmed by now."
            ),
            log_message="Sent the e-mail again.",
            is_available=is_resendable,
            perform=resend,
        ),
        Action(
            name="rescue",
            permission=OPERATE,
            label=_("Rescue"),
            explanation=_(
                "The work is put in front of the queue as a new attempt. A worker that still has "
                "the old one stops."
            ),
            log_message="Rescued: enqueued as a new attempt.",
            is_available=is_unfinished,
            perform=rescue,
        ),
        Action(
            name="expire",
            permission=OPERATE,
            label=_("Expire now"),
            explanation=_(
                "The archive is deleted before its time. Its owner can ask for a new one."
            ),
            log_message="Deleted the archive early.",
            is_available=has_archive,
            perform=expire,
        ),
        Action(
            name="request",
            permission=OPERATE,
            label=_("Request anew for the owner"),
            explanation=_(
                "A new export begins in the owner's name, without the pause between two. The "
                "e-mail goes to them alone."
            ),
            log_message="Requested a new export for the owner.",
            is_available=can_be_requested_again,
            perform=request,
        ),
    )
}
