"""The outbox: e-mails that are saved with the change that causes them, and sent by a worker."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .clock import from_now, lease_expiry, sweep_after
from .rows import apply_update
from .status import TaskEventKind

RETRY_SECONDS = 24 * 3600
MAX_PAUSE_SECONDS = 3600
MAX_QUICK_RETRIES = 3


class MailStatus(models.TextChoices):
    PENDING = "PENDING", _("Waiting to be sent")
    SENDING = "SENDING", _("Being sent")
    SENT = "SENT", _("Sent")
    GAVE_UP = "GAVE_UP", _("Given up")


UNSENT_STATUSES = (MailStatus.PENDING, MailStatus.SENDING)


class Undeliverable(Exception):
    """The mail has no recipient, or its contents are gone: a retry would not help."""


class NotNeeded(Exception):
    """The reason for the mail has gone; it is deleted unsent."""


M = TypeVar("M", bound="Mail")


class MailQuerySet(models.QuerySet[M]):
    def pending(self) -> Self:
        return self.filter(status__in=UNSENT_STATUSES)

    def due(self) -> Self:
        return self.filter(status=MailStatus.PENDING, next_try_at__lte=Now())

    def lease_expired(self) -> Self:
        return self.filter(status=MailStatus.SENDING, lease_expires_at__lt=Now())


class Mail(models.Model):
    """An e-mail to be sent. `tries` is its fencing token, as `attempt` is a task's.

    A concrete mail implements `compose`, and may override the other hooks.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(
        _("status"), max_length=8, choices=MailStatus, default=MailStatus.PENDING
    )
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), db_default=Now())
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("saved at"), db_default=Now())
    sent_at = models.DateTimeField(_("sent at"), null=True)
    # The provider's id for the mail, where it replaces our Message-ID. The database has the
    # default, because workers of the previous version insert rows during an upgrade.
    provider_id = models.CharField(_("provider's id"), max_length=255, blank=True, db_default="")

    if TYPE_CHECKING:
        objects: Any  # a concrete class has a manager of its own QuerySet

    class Meta:
        abstract = True
        ordering = ("created_at",)
        indexes = [
            # The sweeper: mails that are due, or whose lease has expired.
            models.Index(fields=["status", "next_try_at"], name="%(app_label)s_%(class)s_sweep"),
        ]

    def __str__(self) -> str:
        return str(MailStatus(self.status).label)

    @property
    def message_id(self) -> str:
        """Message-ID, equal for all tries, so that a mailbox can detect a duplicate."""
        return f"<{self.id}@{settings.SITE_HOST}>"

    @property
    def job_id(self) -> str:
        return f"mail-{self.id}-{self.tries}"

    # Hooks

    def compose(self) -> EmailMultiAlternatives:
        """Return the message. Raise Undeliverable or NotNeeded if there is nothing to send."""
        raise NotImplementedError

    def drop_attachment(self) -> bool:
        """Let the next try send a link instead of an attachment; False if there is none."""
        return False

    def on_change(self, event: str) -> None:
        """React to the end of a try, in its transaction; `event` is for a timeline."""

    # Transitions, conditional as those of a task.

    def claim(self) -> bool:
        return self._transition(
            MailStatus.PENDING,
            status=MailStatus.SENDING,
            tries=self.tries + 1,
            lease_expires_at=lease_expiry(),
        )

    def renew(self) -> bool:
        """Extend the lease; False once it is lost."""
        return self._fenced(MailStatus.SENDING).update(lease_expires_at=lease_expiry()) == 1

    def mark_sent(self, provider_id: str = "") -> bool:
        return self._settle(
            MailStatus.SENT,
            TaskEventKind.MAILED,
            sent_at=Now(),
            error="",
            provider_id=provider_id[:255],
        )

    def give_up(self, error: str) -> bool:
        return self._settle(MailStatus.GAVE_UP, TaskEventKind.MAIL_FAILED, error=error)

    def retry_later(self, error: str) -> bool:
        """Try again after a pause that doubles each time; give up after RETRY_SECONDS."""
        pause = min(settings.EXPORT_TICK_SECONDS * 2**self.tries, MAX_PAUSE_SECONDS)
        return self._try_again(error, pause)

    def retry_now(self, error: str) -> bool:
        """Try again at once, because the sender died; after MAX_QUICK_RETRIES, `retry_later`."""
        return (
            self._try_again(error, 0) if self.tries < MAX_QUICK_RETRIES else self.retry_later(error)
        )

    def defer(self) -> bool:
        """Keep the sweeper from enqueueing a mail again that it has just enqueued."""
        return self._fenced(MailStatus.PENDING).update(next_try_at=sweep_after()) == 1

    def _try_again(self, error: str, pause: float) -> bool:
        rows = type(self)._default_manager.filter(pk=self.pk)
        if rows.filter(created_at__lt=from_now(-RETRY_SECONDS)).exists():
            return self.give_up(error)
        return self._settle(
            MailStatus.PENDING, TaskEventKind.MAIL_FAILED, error=error, next_try_at=from_now(pause)
        )

    def _settle(self, status: MailStatus, event: str, **changes: Any) -> bool:
        with transaction.atomic():
            if not self._transition(
                MailStatus.SENDING, status=status, lease_expires_at=None, **changes
            ):
                return False
            self.on_change(event)
        return True

    def _fenced(self, status: MailStatus) -> models.QuerySet[Any]:
        """Select this row while it has that status and the number of tries that was read."""
        return type(self)._default_manager.filter(pk=self.pk, status=status, tries=self.tries)

    def _transition(self, old: MailStatus, **changes: Any) -> bool:
        if self._fenced(old).update(**changes) != 1:
            return False
        apply_update(self, changes)
        return True


def mail_models() -> list[type[Mail]]:
    return [model for model in apps.get_models() if issubclass(model, Mail)]
