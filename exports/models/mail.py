from __future__ import annotations

import uuid

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tasks.models import Mail, MailQuerySet

from .choices import Event, Purpose


class ExportMailQuerySet(MailQuerySet["ExportMail"]):
    def with_message_id(self, message_id: str) -> ExportMailQuerySet:
        """Filter by the provider's id or, for providers without one, by our Message-ID."""
        return self.filter(Q(provider_id=message_id) | Q(pk=_parse_message_id(message_id)))


def _parse_message_id(message_id: str) -> uuid.UUID | None:
    local, _, host = message_id.strip("<>").partition("@")
    try:
        return uuid.UUID(local) if host == settings.SITE_HOST else None
    except ValueError:
        return None


class ExportMail(Mail):
    """E-mail to the owner of an export; composed when it is sent."""

    task = models.ForeignKey("exports.ExportTask", models.CASCADE, related_name="mails")
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    # False once the mail server found the mail too large: then the mail contains a link. The
    # database has the default, because workers of the previous version insert rows without it.
    is_attachable = models.BooleanField(_("attach the archive"), default=True, db_default=True)
    bounced_at = models.DateTimeField(_("refused at"), null=True)
    bounce_reason = models.TextField(_("why it was refused"), blank=True, db_default="")

    objects = ExportMailQuerySet.as_manager()

    class Meta(Mail.Meta):
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        indexes = [
            *Mail.Meta.indexes,
            # Bounces that a provider reports.
            models.Index(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="exports_exportmail_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.get_status_display()}"

    def compose(self) -> EmailMultiAlternatives:
        from exports import delivery  # composes from the archive, and imports the models

        return delivery.compose_for_owner(self)

    def drop_attachment(self) -> bool:
        dropped = type(self).objects.filter(pk=self.pk, is_attachable=True)
        return dropped.update(is_attachable=False) == 1

    def on_change(self, event: str) -> None:
        self.task.record_event(event)
        if self.purpose == Purpose.ARCHIVE:
            self.task.notify_owner()

    def mark_bounced(self, reason: str) -> bool:
        """Record a bounce and notify the owner; return False if it was recorded before.

        The status stays SENT: the mail is not sent again.
        """
        with transaction.atomic():
            not_bounced = type(self).objects.filter(pk=self.pk, bounced_at=None)
            if not_bounced.update(bounced_at=Now(), bounce_reason=reason) != 1:
                return False
            self.refresh_from_db(fields=["bounced_at", "bounce_reason"])
            self.on_change(Event.BOUNCED)
        return True
