"""What staff may do about an export. Each is asked for by POST, after a page that says what it does."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.models import User
from exports import archive, jobs
from exports.kinds import KINDS
from exports.models import ExportTask, Status

MOST = 100  # exports that one confirmation may be about


@dataclass(frozen=True)
class Action:
    """`act` answers whether the export was still in a state to be acted on; `applies` guesses so beforehand."""

    name: str
    permission: str
    label: StrOrPromise
    explanation: StrOrPromise
    done: str
    """What the log says, in English: it is for the operators of all times."""
    applies: Callable[[ExportTask], bool]
    act: Callable[[ExportTask, User], bool]


def cancel(task: ExportTask, actor: User) -> bool:
    is_cancelled = task.cancel(actor)
    if is_cancelled:
        jobs.withdraw(task)
    return is_cancelled


def rescue(task: ExportTask, actor: User) -> bool:
    """Hand it out anew. Whoever works at it still is fenced off, and stops at the next heartbeat."""
    if task.status == Status.READY:
        jobs.withdraw(task)
    is_free = task.take_back(actor) if task.status == Status.RUNNING else task.requeue(actor)
    if is_free:
        jobs.enqueue_export(task, at_front=True)
    return is_free


def resend(task: ExportTask, actor: User) -> bool:
    mail = task.resend(actor)
    if mail is not None:
        jobs.enqueue_mail(mail)
    return mail is not None


def expire(task: ExportTask, actor: User) -> bool:
    name = str(task.archive.name)
    is_expired = task.expire(actor)
    if is_expired:
        archive.discard(name)
    return is_expired


def request(task: ExportTask, actor: User) -> bool:
    """Ask in the owner's place, whatever pause there would be for themselves; False if one is under way."""
    owner = task.owner
    if not owner.is_active or not archive.has_room():
        return False
    rows = KINDS[task.kind].count(owner)
    with transaction.atomic():
        new, is_new = ExportTask.objects.request(owner.pk, task.kind, task.language, rows, actor)
    if is_new:
        jobs.enqueue_export(new)
    return is_new


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
            _("Another e-mail, with another Message-ID, goes to the address that the owner has confirmed by now."),
            "Ordered another e-mail.",
            lambda task: task.can_be_mailed,
            resend,
        ),
        Action(
            "rescue",
            "exports.operate_exporttask",
            _("Rescue"),
            _("The work is put in front of the queue as a new attempt. A worker that still has the old one stops."),
            "Rescued: handed out as a new attempt.",
            lambda task: task.is_unfinished,
            rescue,
        ),
        Action(
            "expire",
            "exports.operate_exporttask",
            _("Expire now"),
            _("The archive is deleted before its time. Its owner can ask for a new one."),
            "Archive removed before its time.",
            lambda task: bool(task.archive),
            expire,
        ),
        Action(
            "request",
            "exports.operate_exporttask",
            _("Request anew for the owner"),
            _("A new export begins in the owner's name, without the pause between two. The e-mail goes to them alone."),
            "Requested anew for the owner.",
            lambda task: not task.is_unfinished and task.owner.is_active,
            request,
        ),
    )
}
