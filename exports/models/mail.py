from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .clock import from_now, lease, soon
from .event import Event

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


class ExportMail(models.Model):
    """One e-mail that is owed to the owner of an export."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.ForeignKey("exports.ExportTask", models.CASCADE, related_name="mails")
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    status = models.CharField(_("status"), max_length=8, choices=MailStatus, default=MailStatus.PENDING)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), db_default=Now())
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("owed since"), db_default=Now())
    sent_at = models.DateTimeField(_("sent at"), null=True)

    objects = ExportMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        ordering = ("created_at",)
        indexes = [
            # The sweeper: mails that are due, or whose sender fell silent.
            models.Index(fields=["status", "next_try_at"], name="exports_exportmail_sweep")
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
        return self._move(MailStatus.PENDING, status=MailStatus.SENDING, tries=self.tries + 1, lease_expires_at=lease())

    def renew(self) -> bool:
        """Keep the claim for another lease; False if it was taken away."""
        return self._held(MailStatus.SENDING).update(lease_expires_at=lease()) == 1

    def mark_sent(self) -> bool:
        return self._settle(MailStatus.SENT, Event.MAILED, sent_at=Now(), error="")

    def give_up(self, error: str) -> bool:
        return self._settle(MailStatus.GAVE_UP, Event.MAIL_FAILED, error=error)

    def postpone(self, error: str) -> bool:
        """Try again after a pause that doubles each time; give up when the mail is a day old."""
        return self._try_again(error, min(settings.EXPORT_TICK_SECONDS * 2**self.tries, LONGEST_PAUSE_SECONDS))

    def interrupt(self, error: str) -> bool:
        """Try again at once, because the sender has died; with pauses if senders keep dying of it."""
        return self._try_again(error, 0) if self.tries < QUICK_TRIES else self.postpone(error)

    def _try_again(self, error: str, pause: float) -> bool:
        too_old = type(self).objects.filter(pk=self.pk, created_at__lt=from_now(-KEEP_TRYING_SECONDS))
        if too_old.exists():
            return self.give_up(error)
        return self._settle(MailStatus.PENDING, Event.MAIL_FAILED, error=error, next_try_at=from_now(pause))

    def put_off(self) -> bool:
        """Let the sweeper leave a mail alone that it has just put on the queue."""
        return self._held(MailStatus.PENDING).update(next_try_at=soon()) == 1

    def _settle(self, status: MailStatus, event: Event, **changes: Any) -> bool:
        with transaction.atomic():
            if not self._move(MailStatus.SENDING, status=status, lease_expires_at=None, **changes):
                return False
            self.task.record(event)
            if self.purpose == Purpose.ARCHIVE:
                self.task.announce()
        return True

    def _held(self, status: MailStatus) -> ExportMailQuerySet:
        """This row, as long as nobody has moved it on; `tries` is its fencing token."""
        return type(self).objects.filter(pk=self.pk, status=status, tries=self.tries)

    def _move(self, old: MailStatus, **changes: Any) -> bool:
        moved = self._held(old).update(**changes) == 1
        if moved:
            self.refresh_from_db(fields=["status", "tries", "next_try_at", "lease_expires_at", "error", "sent_at"])
        return moved
