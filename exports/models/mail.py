from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .clock import from_now, lease, soon
from .event import Event
from .rows import note

KEEP_TRYING_SECONDS = 24 * 3600
LONGEST_PAUSE_SECONDS = 3600
QUICK_TRIES = 3


class Purpose(models.TextChoices):
    ARCHIVE = "ARCHIVE", _("the archive")
    FAILURE = "FAILURE", _("news of a failure")


class MailStatus(models.TextChoices):
    PENDING = "PENDING", _("Waiting to be sent")
    SENDING = "SENDING", _("Being sent")
    SENT = "SENT", _("Sent")
    GAVE_UP = "GAVE_UP", _("Given up")


UNSETTLED = (MailStatus.PENDING, MailStatus.SENDING)


class ExportMailQuerySet(models.QuerySet["ExportMail"]):
    def unsettled(self) -> ExportMailQuerySet:
        return self.filter(status__in=UNSETTLED)

    def due(self) -> ExportMailQuerySet:
        """Waiting mails whose pause is over."""
        return self.filter(status=MailStatus.PENDING, next_try_at__lte=Now())

    def lapsed(self) -> ExportMailQuerySet:
        """Mails whose sender has not been heard from for a lease."""
        return self.filter(status=MailStatus.SENDING, lease_expires_at__lt=Now())

    def known_as(self, provider_id: str) -> ExportMailQuerySet:
        """The mail that a provider calls so, be it by an id of its own or by our Message-ID."""
        return self.filter(Q(provider_id=provider_id) | Q(pk=_own_id(provider_id)))


def _own_id(message_id: str) -> uuid.UUID | None:
    """The id in a Message-ID of ours."""
    local, _, host = message_id.strip("<>").partition("@")
    try:
        return uuid.UUID(local) if host == settings.SITE_HOST else None
    except ValueError:
        return None


class ExportMail(models.Model):
    """One e-mail that is owed to the owner of an export."""

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
    # What the provider calls it, where that is not our Message-ID. The defaults of these are the database's: while a
    # new version is installed, workers of the old one still write rows.
    provider_id = models.CharField(_("provider's id"), max_length=255, blank=True, db_default="")
    bounced_at = models.DateTimeField(_("refused at"), null=True)
    bounce_reason = models.TextField(_("why it was refused"), blank=True, db_default="")

    objects = ExportMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        ordering = ("created_at",)
        indexes = [
            # The sweeper: mails that are due, or whose sender fell silent.
            models.Index(fields=["status", "next_try_at"], name="exports_exportmail_sweep"),
            # The mail that a provider tells us of.
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
        """The same for every try, so that a mailbox can tell a repetition."""
        return f"<{self.id}@{settings.SITE_HOST}>"

    @property
    def job_id(self) -> str:
        return f"mail-{self.id}-{self.tries}"

    def claim(self) -> bool:
        """Move PENDING to SENDING; False if another worker has it, or it is settled."""
        return self._move(
            MailStatus.PENDING,
            status=MailStatus.SENDING,
            tries=self.tries + 1,
            lease_expires_at=lease(),
        )

    def renew(self) -> bool:
        """Keep the claim for another lease; False if it was taken away."""
        return self._held(MailStatus.SENDING).update(lease_expires_at=lease()) == 1

    def mark_sent(self, provider_id: str = "") -> bool:
        return self._settle(
            MailStatus.SENT, Event.MAILED, sent_at=Now(), error="", provider_id=provider_id[:255]
        )

    def bounce(self, reason: str) -> bool:
        """Note that the mail was refused after it had been sent, and tell the owner; False if that is known.

        The status stays: as far as sending goes it is settled.
        """
        with transaction.atomic():
            unknown = type(self).objects.filter(pk=self.pk, bounced_at=None)
            if unknown.update(bounced_at=Now(), bounce_reason=reason) != 1:
                return False
            self.refresh_from_db(fields=["bounced_at", "bounce_reason"])
            self.task.record(Event.BOUNCED)
            if self.purpose == Purpose.ARCHIVE:
                self.task.announce()
        return True

    def give_up(self, error: str) -> bool:
        return self._settle(MailStatus.GAVE_UP, Event.MAIL_FAILED, error=error)

    def postpone(self, error: str) -> bool:
        """Try again after a pause that doubles each time; give up when the mail is a day old."""
        return self._try_again(
            error, min(settings.EXPORT_TICK_SECONDS * 2**self.tries, LONGEST_PAUSE_SECONDS)
        )

    def interrupt(self, error: str) -> bool:
        """Try again at once, because the sender has died; with pauses if senders keep dying of it."""
        return self._try_again(error, 0) if self.tries < QUICK_TRIES else self.postpone(error)

    def _try_again(self, error: str, pause: float) -> bool:
        too_old = type(self).objects.filter(
            pk=self.pk, created_at__lt=from_now(-KEEP_TRYING_SECONDS)
        )
        if too_old.exists():
            return self.give_up(error)
        return self._settle(
            MailStatus.PENDING, Event.MAIL_FAILED, error=error, next_try_at=from_now(pause)
        )

    def put_off(self) -> bool:
        """Let the sweeper leave a mail alone that it has just put on the queue."""
        return self._held(MailStatus.PENDING).update(next_try_at=soon()) == 1

    def _settle(self, status: MailStatus, event: Event, **changes: Any) -> bool:
        with transaction.atomic():
            if not self._move(MailStatus.SENDING, status=status, lease_expires_at=None, **changes):
                return False
            self.task.record(event)
            if self.purpose == Purpose.ARCHIVE:
                self.task.announce(self)
        return True

    def _held(self, status: MailStatus) -> ExportMailQuerySet:
        """This row, as long as nobody has moved it on; `tries` is its fencing token."""
        return type(self).objects.filter(pk=self.pk, status=status, tries=self.tries)

    def _move(self, old: MailStatus, **changes: Any) -> bool:
        moved = self._held(old).update(**changes) == 1
        if moved:
            note(self, changes)
        return moved
