from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .choices import UNSENT_STATUSES, Event, MailStatus, Purpose
from .concurrency import apply_update, from_now, lease_expiry, sweep_after

RETRY_WINDOW_SECONDS = 24 * 3600
MAX_BACKOFF_SECONDS = 3600
MAX_IMMEDIATE_TRIES = 3


class ExportMailQuerySet(models.QuerySet["ExportMail"]):
    def pending(self) -> ExportMailQuerySet:
        return self.filter(status__in=UNSENT_STATUSES)

    def due(self) -> ExportMailQuerySet:
        return self.filter(status=MailStatus.PENDING, next_try_at__lte=Now())

    def lease_expired(self) -> ExportMailQuerySet:
        return self.filter(status=MailStatus.SENDING, lease_expires_at__lt=Now())

    def with_message_id(self, message_id: str) -> ExportMailQuerySet:
        """Filter by the provider's id or, for providers without one, by our Message-ID."""
        return self.filter(Q(provider_id=message_id) | Q(pk=_parse_message_id(message_id)))


def _parse_message_id(message_id: str) -> uuid.UUID | None:
    local, _, host = message_id.strip("<>").partition("@")
    try:
        return uuid.UUID(local) if host == settings.SITE_HOST else None
    except ValueError:
        return None


class ExportMail(models.Model):
    """E-mail to the owner of an export, saved before it is sent (transactional outbox).

    `tries` is the fencing token: it grows with each claim, and a sender's writes with an older
    number change nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.ForeignKey("exports.ExportTask", models.CASCADE, related_name="mails")
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    status = models.CharField(
        _("status"), max_length=8, choices=MailStatus, default=MailStatus.PENDING
    )
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), db_default=Now())
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("owed since"), db_default=Now())
    sent_at = models.DateTimeField(_("sent at"), null=True)
    # The provider's id, if it differs from our Message-ID. Workers of the previous version insert
    # rows without this field during a deployment, so the database has the default.
    provider_id = models.CharField(_("provider's id"), max_length=255, blank=True, db_default="")
    bounced_at = models.DateTimeField(_("refused at"), null=True)
    bounce_reason = models.TextField(_("why it was refused"), blank=True, db_default="")

    objects = ExportMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        ordering = ("created_at",)
        indexes = [
            # The sweeper: mails that are due, or whose lease expired.
            models.Index(fields=["status", "next_try_at"], name="exports_exportmail_sweep"),
            # Bounces that a provider reports.
            models.Index(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="exports_exportmail_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.get_status_display()}"

    @property
    def message_id(self) -> str:
        """Message-ID, equal for all tries so that mailboxes can drop duplicates."""
        return f"<{self.id}@{settings.SITE_HOST}>"

    @property
    def job_id(self) -> str:
        return f"mail-{self.id}-{self.tries}"

    # Verbs: each is one conditional UPDATE, with its event and notification in the same
    # transaction. They return False if the row had changed, and then write nothing.

    def claim(self) -> bool:
        return self._transition(
            MailStatus.PENDING,
            status=MailStatus.SENDING,
            tries=self.tries + 1,
            lease_expires_at=lease_expiry(),
        )

    def renew(self) -> bool:
        return self._fenced(MailStatus.SENDING).update(lease_expires_at=lease_expiry()) == 1

    def mark_sent(self, provider_id: str = "") -> bool:
        return self._end_try(
            MailStatus.SENT, Event.MAILED, sent_at=Now(), error="", provider_id=provider_id[:255]
        )

    def mark_bounced(self, reason: str) -> bool:
        """Record a bounce and notify the owner; return False if it was recorded before.

        The status stays SENT: the mail is not sent again.
        """
        with transaction.atomic():
            not_bounced = type(self).objects.filter(pk=self.pk, bounced_at=None)
            if not_bounced.update(bounced_at=Now(), bounce_reason=reason) != 1:
                return False
            self.refresh_from_db(fields=["bounced_at", "bounce_reason"])
            self.task.record_event(Event.BOUNCED)
            if self.purpose == Purpose.ARCHIVE:
                self.task.notify_owner()
        return True

    def give_up(self, error: str) -> bool:
        return self._end_try(MailStatus.GAVE_UP, Event.MAIL_FAILED, error=error)

    def retry_later(self, error: str) -> bool:
        backoff = settings.EXPORT_TICK_SECONDS * 2**self.tries
        return self._retry_after(min(backoff, MAX_BACKOFF_SECONDS), error)

    def retry_now(self, error: str) -> bool:
        """Retry at once after the sender died, but with backoff if senders keep dying."""
        if self.tries < MAX_IMMEDIATE_TRIES:
            return self._retry_after(0, error)
        return self.retry_later(error)

    def defer(self) -> bool:
        """Hide the mail from the sweeper for a moment, because it was just enqueued."""
        return self._fenced(MailStatus.PENDING).update(next_try_at=sweep_after()) == 1

    def _retry_after(self, seconds: float, error: str) -> bool:
        """Move SENDING back to PENDING, or to GAVE_UP once the retry window is over."""
        too_old = type(self).objects.filter(
            pk=self.pk, created_at__lt=from_now(-RETRY_WINDOW_SECONDS)
        )
        if too_old.exists():
            return self.give_up(error)
        return self._end_try(
            MailStatus.PENDING, Event.MAIL_FAILED, error=error, next_try_at=from_now(seconds)
        )

    def _end_try(self, status: MailStatus, event: Event, **changes: Any) -> bool:
        changes |= {"status": status, "lease_expires_at": None}
        with transaction.atomic():
            if not self._transition(MailStatus.SENDING, **changes):
                return False
            self.task.record_event(event)
            if self.purpose == Purpose.ARCHIVE:
                self.task.notify_owner(self)
        return True

    def _transition(self, old: MailStatus, **changes: Any) -> bool:
        if self._fenced(old).update(**changes) != 1:
            return False
        apply_update(self, changes)
        return True

    def _fenced(self, status: MailStatus) -> ExportMailQuerySet:
        return type(self).objects.filter(pk=self.pk, status=status, tries=self.tries)
