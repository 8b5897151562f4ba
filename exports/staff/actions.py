"""What staff may do about an export. Each is asked for by POST, after a page that says what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.models import User
from exports import jobs
from exports import requests as asking
from exports.archive import build as archive
from exports.models import ExportTask, Status

from .permissions import OPERATE

MOST = 100  # exports that one confirmation may be about

Rest = Callable[[], bool]


@dataclass(frozen=True)
class Action:
    """`act` changes the row, and answers what is left to do outside of it; None if the export was in no state to be
    acted on, which `applies` guesses beforehand.

    What is left answers False once the broker cannot be reached: the sweeper sees to it then.
    """

    name: str
    permission: str
    label: StrOrPromise
    explanation: StrOrPromise
    done: str
    """What the log says, in English: it is for the operators of all times."""
    applies: Callable[[ExportTask], bool]
    act: Callable[[ExportTask, User], Rest | None]


def cancel(task: ExportTask, actor: User) -> Rest | None:
    return partial(jobs.remove_job, task.job_id) if task.cancel(actor) else None


def rescue(task: ExportTask, actor: User) -> Rest | None:
    """Hand it out anew. Whoever works at it still is fenced off, and stops at the next heartbeat."""
    if task.status == Status.RUNNING:
        return partial(jobs.enqueue_next, task) if task.release(actor) else None
    old = task.job_id
    return (
        (lambda: jobs.remove_job(old) and jobs.enqueue_next(task)) if task.requeue(actor) else None
    )


def resend(task: ExportTask, actor: User) -> Rest | None:
    mail = task.resend(actor)
    return partial(jobs.enqueue_mail, mail) if mail else None


def expire(task: ExportTask, actor: User) -> Rest | None:
    name = str(task.archive.name)
    return partial(_discard, name) if task.expire(actor) else None


def _discard(name: str) -> bool:
    archive.discard(name)
    return True


def request(task: ExportTask, actor: User) -> Rest | None:
    """Ask in the owner's place, whatever pause there would be for themselves; None if one is under way."""
    if not task.owner.is_active:
        return None
    try:
        new, is_new = asking.create_task(task.owner, task.kind, task.language, actor)
    except asking.DiskFull:
        return None
    return partial(jobs.enqueue_export, new) if is_new else None


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "cancel",
            "exports.cancel_exporttask",
            _("Cancel"),
            _("The build stops, no e-mail is sent, and the owner sees that it was cancelled."),
            "Cancelled.",
            lambda task: task.is_unfinished,
            cancel,
        ),
        Action(
            "resend",
            "exports.resend_exporttask",
            _("Send the e-mail again"),
            _(
                "Another e-mail, with another Message-ID, goes to the address that the owner has confirmed by now."
            ),
            "Ordered another e-mail.",
            lambda task: task.is_resendable,
            resend,
        ),
        Action(
            "rescue",
            OPERATE,
            _("Rescue"),
            _(
                "The work is put in front of the queue as a new attempt. A worker that still has the old one stops."
            ),
            "Rescued: handed out as a new attempt.",
            lambda task: task.is_unfinished,
            rescue,
        ),
        Action(
            "expire",
            OPERATE,
            _("Expire now"),
            _("The archive is deleted before its time. Its owner can ask for a new one."),
            "Archive removed before its time.",
            lambda task: bool(task.archive),
            expire,
        ),
        Action(
            "request",
            OPERATE,
            _("Request anew for the owner"),
            _(
                "A new export begins in the owner's name, without the pause between two. The e-mail goes to them alone."
            ),
            "Requested anew for the owner.",
            lambda task: not task.is_unfinished and task.owner.is_active,
            request,
        ),
    )
}
