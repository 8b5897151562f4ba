from __future__ import annotations

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
    DOWNLOADED = "DOWNLOADED", _("Downloaded")
    CANCELLED = "CANCELLED", _("Cancelled")
    EXPIRED = "EXPIRED", _("The archive was removed")


class ExportEvent(models.Model):
    """Something that happened to an export. Rows are added, never changed."""

    task = models.ForeignKey("exports.ExportTask", models.CASCADE, related_name="events", db_index=False)
    kind = models.CharField(_("event"), max_length=16, choices=Event)
    attempt = models.PositiveIntegerField(_("attempt"))
    created_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("created_at", "id")
        indexes = [
            # The timeline of one export.
            models.Index(fields=["task", "created_at"], name="exports_exportevent_task"),
            # What the sweeper prunes.
            models.Index(fields=["created_at"], name="exports_exportevent_age"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
