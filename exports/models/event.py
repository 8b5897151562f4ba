from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .choices import Event


class ExportEvent(models.Model):
    """Entry in the timeline of an export. Rows are only ever added."""

    task = models.ForeignKey(
        "exports.ExportTask", models.CASCADE, related_name="events", db_index=False
    )
    kind = models.CharField(_("event"), max_length=16, choices=Event)
    attempt = models.PositiveIntegerField(_("attempt"))
    created_at = models.DateTimeField(_("time"), db_default=Now())
    # The member of staff who caused the event; empty for the owner, the worker and the sweeper.
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
            # Old events that the sweeper prunes.
            models.Index(fields=["created_at"], name="exports_exportevent_age"),
            # SET_NULL when a user is deleted.
            models.Index(
                fields=["actor"],
                condition=models.Q(actor__isnull=False),
                name="exports_exportevent_actor",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
