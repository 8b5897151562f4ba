"""What staff decide about posts and people, with all that follows from it; and how those concerned are told."""

from collections.abc import Sequence
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext as _

from . import notifications
from .models import Notification, Outcome, Post, Report, User
from .models.report import ReportQuerySet

ENDED = {
    Outcome.DISMISSED: "Dismissed.",
    Outcome.HIDDEN: "Post hidden.",
    Outcome.DEACTIVATED: "Account deactivated.",
}


def dismiss(report: Report, staff: User) -> None:
    """Find nothing wrong in what this report, and those like it, are about."""
    with transaction.atomic():
        _handle(Report.objects.like(report), staff, Outcome.DISMISSED)


def hide(post: Post, staff: User, reason: str) -> None:
    """Keep a post from everyone but its author, and tell them why."""
    with transaction.atomic():
        post.hide(staff, reason)
        _record([post], staff, f"Hidden: {reason}")
        _tell_author(post)
        _handle(Report.objects.filter(post=post), staff, Outcome.HIDDEN)


def unhide(post: Post, staff: User) -> None:
    with transaction.atomic():
        post.unhide()
        _record([post], staff, "Shown again.")
        _tell_author(post)


def may_close(person: User, staff: User) -> bool:
    """Whether these staff decide about that person's account: never about their own, nor about more powerful ones."""
    return person.pk != staff.pk and (staff.is_superuser or not person.is_superuser)


def deactivate(person: User, staff: User) -> None:
    """Close an account, and end its sessions. What is under way for it, such as an export, stops by itself."""
    with transaction.atomic():
        _set_active(person, staff, to=False, words="Deactivated.")
        for session in UserSession.objects.filter(user=person):
            session.end()
        _handle(Report.objects.filter(person=person), staff, Outcome.DEACTIVATED)


def reactivate(person: User, staff: User) -> None:
    with transaction.atomic():
        _set_active(person, staff, to=True, words="Reactivated.")


def _set_active(person: User, staff: User, *, to: bool, words: str) -> None:
    person.is_active = to
    person.save(update_fields=["is_active"])
    _record([person], staff, words)


def _handle(reports: ReportQuerySet, staff: User, outcome: Outcome) -> None:
    handled = reports.handle(staff, outcome)
    _record(handled, staff, ENDED[outcome])
    for report in handled:
        facts = {"report": report.pk, "outcome": outcome}
        Notification.objects.put(report.reporter_id, f"report:{report.pk}", facts)


def _record(rows: Sequence[Model], staff: User, words: str) -> None:
    LogEntry.objects.log_actions(staff.pk, rows, CHANGE, words)


# What people are told: facts go into the row, and come out as words.


def _tell_author(post: Post) -> None:
    facts = {"post": post.pk, "reason": post.hidden_reason, "is_hidden": post.hidden_at is not None}
    Notification.objects.put(post.author_id, f"hidden:{post.pk}", facts, post=post)


def describe_hidden(facts: dict[str, Any]) -> dict[str, Any]:
    """To the author of a post."""
    if facts["is_hidden"]:
        text = _("Staff have hidden a post of yours. Reason: %(reason)s") % {
            "reason": facts["reason"]
        }
    else:
        text = _("Staff show a post of yours again that they had hidden.")
    return _toast(
        "warning" if facts["is_hidden"] else "success",
        text,
        reverse("post-detail", args=[facts["post"]]),
    )


def describe_report(facts: dict[str, Any]) -> dict[str, Any]:
    """To whoever reported something; what was done is said in a general way."""
    if facts["outcome"] == Outcome.DISMISSED:
        text = _("Thank you, we looked at your report. We found nothing against the rules.")
    else:
        text = _("Thank you, we looked at your report, and did something about it.")
    return _toast("success", text, reverse("report-detail", args=[facts["report"]]))


def _toast(level: str, text: str, url: str) -> dict[str, Any]:
    return {"toast": {"level": level, "text": text, "url": url}}


def register() -> None:
    notifications.register("hidden", describe_hidden)
    notifications.register("report", describe_report)
