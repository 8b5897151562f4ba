"""Outbox of e-mails about accounts."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from .message import Message

MAIL_LEASE = timedelta(minutes=1)  # longer than the timeout of the mail server
MAX_MAIL_PAUSE = timedelta(hours=1)
MAIL_RETENTION = timedelta(days=1)


def lease_expiry() -> datetime:
    return timezone.now() + MAIL_LEASE


class AccountMailQuerySet(models.QuerySet["AccountMail"]):
    def due(self) -> AccountMailQuerySet:
        return self.filter(next_try_at__lte=timezone.now())

    def pending(self) -> AccountMailQuerySet:
        """Exclude mails about messages that the recipient may still read before they are due."""
        return self.exclude(about__isnull=False, created_at__gt=timezone.now() - 2 * MAIL_LEASE)

    def expired(self) -> AccountMailQuerySet:
        return self.filter(created_at__lt=timezone.now() - MAIL_RETENTION)


class AccountMail(models.Model):
    """Rendered e-mail about an account. The row is deleted once the mail is sent.

    Staff can look into the queue. Its text can hold links that open an account, so the row keeps
    the text and the queue does not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="account_mails", null=True
    )
    # The private message that the mail announces, if any. Once it is read, no mail is needed.
    about = models.ForeignKey(Message, models.CASCADE, related_name="+", null=True)
    to = models.EmailField()
    subject = models.CharField(max_length=255)
    text = models.TextField()
    html = models.TextField()
    tries = models.PositiveIntegerField(default=0)  # fencing token
    next_try_at = models.DateTimeField(default=lease_expiry)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountMailQuerySet.as_manager()

    class Meta:
        # The sweeper: mails to send again.
        indexes = [models.Index(fields=["next_try_at"], name="blog_accountmail_due")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def job_id(self) -> str:
        return f"account-mail-{self.pk}-{self.tries}"

    @property
    def message_id(self) -> str:
        """Message-ID, equal for every try, so that a mailbox can recognise a duplicate."""
        return f"<{self.pk}@{settings.SITE_HOST}>"

    @property
    def is_already_read(self) -> bool:
        """Return whether the recipient has read the announced message and all later ones."""
        if self.about is None:
            return False
        received = Message.objects.filter(
            conversation=self.about.conversation_id, recipient=self.about.recipient_id
        )
        return not received.unread().exists()

    def claim(self) -> bool:
        """Begin the next try, and schedule another after a pause that doubles each time.

        Return False if another worker has begun it.
        """
        pause = min(MAIL_LEASE * 2**self.tries, MAX_MAIL_PAUSE)
        return self._update_fenced(tries=self.tries + 1, next_try_at=timezone.now() + pause)

    def defer(self) -> bool:
        """Keep the sweeper away from a mail that was just enqueued."""
        return self._update_fenced(next_try_at=lease_expiry())

    def _update_fenced(self, **changes: Any) -> bool:
        return type(self).objects.filter(pk=self.pk, tries=self.tries).update(**changes) == 1
