from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Event(models.TextChoices):
    REQUESTED = "REQUESTED", _("Requested")
    CLAIMED = "CLAIMED", _("A worker began")
    REQUEUED = "REQUEUED", _("Put on the queue again")
    RESCUED = "RESCUED", _("The work was interrupted and will be tried again")
    BUILT = "BUILT", _("The archive was built")
    FAILED = "FAILED", _("Failed")
    MAILED = "MAILED", _("The e-mail was sent")
    MAIL_FAILED = "MAIL_FAILED", _("The e-mail could not be sent")
    BOUNCED = "BOUNCED", _("The mail provider refused the e-mail")
    RESENT = "RESENT", _("Another e-mail was ordered")
    DOWNLOADED = "DOWNLOADED", _("Downloaded")
    CANCELLED = "CANCELLED", _("Cancelled")
    EXPIRED = "EXPIRED", _("The archive was removed")


class ExportEvent(models.Model):
    """Something that happened to an export. Rows are added, never changed."""

    task = models.ForeignKey(
        "exports.ExportTask", models.CASCADE, related_name="events", db_index=False
    )
    kind = models.CharField(_("event"), max_length=16, choices=Event)
    attempt = models.PositiveIntegerField(_("attempt"))
    created_at = models.DateTimeField(_("time"), db_default=Now())
    # Staff who did it from their desk; empty where it was the owner, or happened by itself.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("by"),
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("created_at", "id")
        indexes = [
            # The timeline of one export.
            models.Index(fields=["task", "created_at"], name="exports_exportevent_task"),
            # What the sweeper prunes.
            models.Index(fields=["created_at"], name="exports_exportevent_age"),
            # What an account that is deleted leaves behind.
            models.Index(
                fields=["actor"],
                condition=models.Q(actor__isnull=False),
                name="exports_exportevent_actor",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
