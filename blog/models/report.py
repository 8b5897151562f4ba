"""Reports of posts and users to the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .post import MAX_IMPORTED_LENGTH, Post

if TYPE_CHECKING:
    from .user import User

MAX_COMMENT_LENGTH = 500


class Reason(models.TextChoices):
    SPAM = "SPAM", _("Spam or advertising")
    ABUSE = "ABUSE", _("Insults or harassment")
    ILLEGAL = "ILLEGAL", _("Against the law")
    OTHER = "OTHER", _("Something else")


class Outcome(models.TextChoices):
    DISMISSED = "DISMISSED", _("Nothing wrong")
    HIDDEN = "HIDDEN", _("Post hidden")
    DEACTIVATED = "DEACTIVATED", _("Account deactivated")


class ReportQuerySet(models.QuerySet["Report"]):
    def open(self) -> ReportQuerySet:
        return self.filter(handled_at=None)

    def same_subject_as(self, report: Report) -> ReportQuerySet:
        if report.post_id:
            return self.filter(post=report.post_id)
        return self.filter(person=report.person_id, post=None, excerpt=report.excerpt)

    def get_or_create_open(
        self, reporter: User, reported: User, post: Post | None, reason: str, comment: str
    ) -> tuple[Report, bool]:
        subject: dict[str, Any] = {"post": post} if post else {"excerpt": ""}
        defaults = {"reason": reason, "comment": comment, "excerpt": post.body if post else ""}
        return self.open().get_or_create(
            reporter=reporter, person=reported, **subject, defaults=defaults
        )

    def handle(self, staff: User, outcome: Outcome) -> list[Report]:
        """Close the open reports and return them, each to one concurrent caller only."""
        with transaction.atomic():
            reports = list(self.open().order_by("pk").select_for_update())
            keys = [report.pk for report in reports]
            Report.objects.filter(pk__in=keys).update(
                handled_at=timezone.now(), handled_by=staff, outcome=outcome
            )
        return reports


class Report(models.Model):
    """Report of a user, or of one of their posts, by another user."""

    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="reports",
        verbose_name=_("reporter"),
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="reports_about",
        verbose_name=_("reported person"),
    )
    post = models.ForeignKey(
        Post,
        models.SET_NULL,
        related_name="reports",
        null=True,
        blank=True,
        verbose_name=_("reported post"),
    )
    # The post's text when reported: its author may edit or delete the post.
    excerpt = models.CharField(_("text of the post"), max_length=MAX_IMPORTED_LENGTH, blank=True)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    comment = models.CharField(_("comment"), max_length=MAX_COMMENT_LENGTH, blank=True)
    created_at = models.DateTimeField(_("reported at"), default=timezone.now, editable=False)
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True, editable=False)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("handled by"),
    )
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=Outcome.choices, blank=True, editable=False
    )

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        constraints = [
            models.UniqueConstraint(
                fields=["reporter", "post"],
                condition=models.Q(handled_at=None),
                name="blog_report_post_once",
            ),
            models.UniqueConstraint(
                fields=["reporter", "person"],
                condition=models.Q(handled_at=None, excerpt=""),
                name="blog_report_person_once",
            ),
        ]
        indexes = [
            # The queue of the staff: oldest open report first.
            models.Index(
                fields=["created_at", "id"],
                condition=models.Q(handled_at=None),
                name="blog_report_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.person}"

    def get_absolute_url(self) -> str:
        return reverse("report-detail", args=[self.pk])
