"""Mails about accounts that are owed."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from .message import Message
from .user import User

MAIL_LEASE = timedelta(minutes=1)  # longer than a mail server is waited for
MAIL_LONGEST_PAUSE = timedelta(hours=1)
MAIL_KEPT = timedelta(days=1)


def a_lease_from_now() -> datetime:
    return timezone.now() + MAIL_LEASE


class AccountMailQuerySet(models.QuerySet["AccountMail"]):
    def due(self) -> AccountMailQuerySet:
        """Those that somebody should have sent by now."""
        return self.filter(next_try_at__lte=timezone.now())

    def waiting(self) -> AccountMailQuerySet:
        """Those that are owed by now; not those about a message that may yet be read before the mail is due."""
        return self.exclude(about__isnull=False, created_at__gt=timezone.now() - 2 * MAIL_LEASE)

    def stale(self) -> AccountMailQuerySet:
        """Those that nobody waits for any more."""
        return self.filter(created_at__lt=timezone.now() - MAIL_KEPT)


class AccountMail(models.Model):
    """A mail about somebody's account, already put into words. The row is gone as soon as the mail is.

    It holds links that open an account, so that the queue, which staff can look into, does not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="account_mails", null=True)
    # What it tells of, where that is a private message: read meanwhile, it needs no mail.
    about = models.ForeignKey(Message, models.CASCADE, related_name="+", null=True)
    to = models.EmailField()
    subject = models.CharField(max_length=255)
    text = models.TextField()
    html = models.TextField()
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=a_lease_from_now)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountMailQuerySet.as_manager()

    class Meta:
        # The sweeper: mails that did not go out.
        indexes = [models.Index(fields=["next_try_at"], name="blog_accountmail_due")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def job_id(self) -> str:
        return f"account-mail-{self.pk}-{self.tries}"

    @property
    def message_id(self) -> str:
        """The same for every try, so that a mailbox can tell a repetition."""
        return f"<{self.pk}@{settings.SITE_HOST}>"

    @property
    def is_pointless(self) -> bool:
        """Whether the person has read the message meanwhile, and all that came after it."""
        if self.about is None:
            return False
        said = Message.objects.filter(
            conversation=self.about.conversation_id, recipient=self.about.recipient_id
        )
        return not said.unread().exists()

    def claim(self) -> bool:
        """Take the next try, and leave the one after it to the sweeper; False if somebody else has taken it."""
        pause = min(MAIL_LEASE * 2**self.tries, MAIL_LONGEST_PAUSE)
        return self._move(tries=self.tries + 1, next_try_at=timezone.now() + pause)

    def put_off(self) -> bool:
        """Let the sweeper leave a mail alone that it has just put on the queue."""
        return self._move(next_try_at=a_lease_from_now())

    def _move(self, **changes: Any) -> bool:
        """Change the row as long as no other try has begun."""
        return type(self).objects.filter(pk=self.pk, tries=self.tries).update(**changes) == 1
