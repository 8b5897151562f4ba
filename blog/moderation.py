"""Decisions of the staff about posts and users, with all their consequences."""

from collections.abc import Sequence

from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model

from .models import Notification, Outcome, Post, Report, User
from .models.report import ReportQuerySet

LOG_MESSAGES = {
    Outcome.DISMISSED: "Dismissed.",
    Outcome.HIDDEN: "Post hidden.",
    Outcome.DEACTIVATED: "Account deactivated.",
}


def dismiss(report: Report, staff: User) -> None:
    with transaction.atomic():
        _handle(Report.objects.same_subject_as(report), staff, Outcome.DISMISSED)


def hide(post: Post, staff: User, reason: str) -> None:
    with transaction.atomic():
        post.hide(staff, reason)
        _log([post], staff, f"Hidden: {reason}")
        _notify_author(post)
        _handle(Report.objects.filter(post=post), staff, Outcome.HIDDEN)


def unhide(post: Post, staff: User) -> None:
    with transaction.atomic():
        post.unhide()
        _log([post], staff, "Shown again.")
        _notify_author(post)


def can_deactivate(user: User, staff: User) -> bool:
    """Return whether the staff member may deactivate the user: not themselves, no superuser.

    Superusers may deactivate other superusers.
    """
    return user.pk != staff.pk and (staff.is_superuser or not user.is_superuser)


def deactivate(user: User, staff: User) -> None:
    """Deactivate an account and end its sessions. Its unfinished exports stop by themselves."""
    with transaction.atomic():
        _set_active(user, staff, is_active=False, log_message="Deactivated.")
        for session in UserSession.objects.filter(user=user):
            session.end()
        _handle(Report.objects.filter(person=user), staff, Outcome.DEACTIVATED)


def is_being_deleted(user: User) -> bool:
    return user.deletions.unfinished().exists()


def reactivate(user: User, staff: User) -> None:
    """Reopen a closed account, unless it is being deleted."""
    with transaction.atomic():
        # Lock the user: a concurrent request for deletion either waits or is visible below.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if is_being_deleted(user):
            return
        _set_active(user, staff, is_active=True, log_message="Reactivated.")


def _set_active(user: User, staff: User, *, is_active: bool, log_message: str) -> None:
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    _log([user], staff, log_message)


def _handle(reports: ReportQuerySet, staff: User, outcome: Outcome) -> None:
    handled = reports.handle(staff, outcome)
    _log(handled, staff, LOG_MESSAGES[outcome])
    for report in handled:
        payload = {"report": report.pk, "outcome": outcome}
        Notification.objects.upsert(report.reporter_id, f"report:{report.pk}", payload)


def _notify_author(post: Post) -> None:
    payload = {
        "post": post.pk,
        "reason": post.hidden_reason,
        "is_hidden": post.hidden_at is not None,
    }
    Notification.objects.upsert(post.author_id, f"hidden:{post.pk}", payload, post=post)


def _log(rows: Sequence[Model], staff: User, message: str) -> None:
    LogEntry.objects.log_actions(staff.pk, rows, CHANGE, message)
