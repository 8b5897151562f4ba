"""Outbox of emails about accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from microblog import request_ids
from tasks.models import UNSENT_STATUSES, Mail, MailQuerySet, NotNeeded
from tasks.models.clock import from_now

from .message import Message

if TYPE_CHECKING:
    from .user import User

# Time in which the recipient may read a private message before a mail announces it.
MESSAGE_MAIL_DELAY_SECONDS = 60
SETTLED_RETENTION_DAYS = 30


class AccountMailQuerySet(MailQuerySet["AccountMail"]):
    def overdue(self) -> AccountMailQuerySet:
        """Filter pending mails, except new ones that wait for their message to be read."""
        return self.pending().exclude(tries=0, next_try_at__gt=Now())

    def prunable(self) -> AccountMailQuerySet:
        old = from_now(-SETTLED_RETENTION_DAYS * 86400)
        return self.exclude(status__in=UNSENT_STATUSES).filter(created_at__lt=old)


class AccountMail(Mail):
    """Rendered email about an account.

    Its text can hold links that open an account, and staff can look into the queue and at rows:
    so the queue holds the id alone, and the row is emptied once the mail is sent or given up.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="account_mails", null=True
    )
    # The private message that the mail announces, if any. Once it is read, no mail is needed.
    about = models.ForeignKey(Message, models.CASCADE, related_name="+", null=True)
    # The name of the notification that the mail announces, such as "follow:12".
    notification_name = models.CharField(max_length=64, blank=True, default="", db_default="")
    to = models.EmailField(_("to"))
    subject = models.CharField(max_length=255, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)

    objects = AccountMailQuerySet.as_manager()

    class Meta(Mail.Meta):
        verbose_name = _("account email")
        verbose_name_plural = _("account emails")

    def compose(self) -> EmailMultiAlternatives:
        message = EmailMultiAlternatives(
            self.subject,
            self.text,
            to=[self._current_address()],
            headers={"Message-ID": self.message_id, "Auto-Submitted": "auto-generated"}
            | request_ids.mail_headers(),
        )
        message.attach_alternative(self.html, "text/html")
        return message

    def _current_address(self) -> str:
        """Return the recipient. Raise NotNeeded if what the mail announces is not wanted any more.

        A mail about a message waits a minute, and every mail while the mail server is away.
        """
        if self.about:
            unread = Message.objects.unread_for(self.about.recipient)
            is_visible = unread.filter(conversation=self.about.conversation_id).exists()
            return _wanted_address(self.about.recipient, "message", is_visible=is_visible)
        if self.user and self.notification_name:
            visible = self.user.notifications.visible_to(self.user)
            kind, _colon, _key = self.notification_name.partition(":")
            is_visible = visible.filter(name=self.notification_name).exists()
            return _wanted_address(self.user, kind, is_visible=is_visible)
        return self.to

    def on_change(self, event: str) -> None:
        if self.status not in UNSENT_STATUSES:
            type(self).objects.filter(pk=self.pk).update(subject="", text="", html="")


def _wanted_address(user: User, kind: str, *, is_visible: bool) -> str:
    """Return the user's confirmed address. Raise NotNeeded unless they want mails of this kind."""
    address = user.confirmed_email
    if not (is_visible and user.is_active and getattr(user, f"has_{kind}_mail") and address):
        raise NotNeeded
    return address
