"""Decisions of the staff about posts and users, with all their consequences."""

from collections.abc import Sequence

from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model

from tasks.models.rows import AccountClosed, lock_users

from .models import Notification, Outcome, Post, Report, User
from .models.report import ReportQuerySet

LOG_MESSAGES = {
    Outcome.DISMISSED: "Dismissed.",
    Outcome.HIDDEN: "Post hidden.",
    Outcome.DEACTIVATED: "Account deactivated.",
}


def dismiss(report: Report, staff: User) -> None:
    reports = Report.objects.same_subject_as(report)
    with transaction.atomic():
        lock_users(staff.pk, *_reporters(reports))
        _handle(reports, staff, Outcome.DISMISSED)


def hide(post: Post, staff: User, reason: str) -> None:
    reports = Report.objects.filter(post=post)
    with transaction.atomic():
        _lock_subject(post.author, staff, reports)
        post.hide(staff, reason)
        _log([post], staff, f"Hidden: {reason}")
        _notify_author(post)
        _handle(reports, staff, Outcome.HIDDEN)


def unhide(post: Post, staff: User) -> None:
    with transaction.atomic():
        _lock_subject(post.author, staff, Report.objects.none())
        post.unhide()
        _log([post], staff, "Shown again.")
        _notify_author(post)


def can_decide_about(user: User, staff: User) -> bool:
    """Return whether the staff member may decide about the user, their posts and reports of them.

    Only superusers decide about staff.
    """
    return staff.is_superuser or not (user.is_staff or user.is_superuser)


def can_deactivate(user: User, staff: User) -> bool:
    return user.pk != staff.pk and can_decide_about(user, staff)


def deactivate(user: User, staff: User) -> None:
    """Deactivate an account and end its sessions. Its unfinished exports stop by themselves."""
    reports = Report.objects.filter(person=user)
    with transaction.atomic():
        _lock_subject(user, staff, reports)
        _set_active(user, staff, is_active=False, log_message="Deactivated.")
        for session in UserSession.objects.filter(user=user):
            session.end()
        _handle(reports, staff, Outcome.DEACTIVATED)


def is_being_deleted(user: User) -> bool:
    return user.deletions.unfinished().exists()


def reactivate(user: User, staff: User) -> None:
    """Reopen a closed account, unless it is being deleted."""
    with transaction.atomic():
        # A concurrent request for deletion either waits for the lock or is visible below.
        if user.pk not in lock_users(user.pk, staff.pk) or is_being_deleted(user):
            return
        _set_active(user, staff, is_active=True, log_message="Reactivated.")


def _lock_subject(user: User, staff: User, reports: ReportQuerySet) -> None:
    """Lock all whom a decision about a user concerns. AccountClosed if the user is deleted."""
    if user.pk not in lock_users(user.pk, staff.pk, *_reporters(reports)):
        raise AccountClosed


def _reporters(reports: ReportQuerySet) -> list[int]:
    return list(reports.open().values_list("reporter", flat=True))


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
