"""Outbox of e-mails about accounts."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from microblog import request_ids
from tasks.models import UNSENT_STATUSES, Mail, MailQuerySet, NotNeeded
from tasks.models.clock import from_now

from .message import Message

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
    """Rendered e-mail about an account.

    Its text can hold links that open an account, and staff can look into the queue and at rows:
    so the queue holds the id alone, and the row is emptied once the mail is sent or given up.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="account_mails", null=True
    )
    # The private message that the mail announces, if any. Once it is read, no mail is needed.
    about = models.ForeignKey(Message, models.CASCADE, related_name="+", null=True)
    to = models.EmailField(_("to"))
    subject = models.CharField(max_length=255, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)

    objects = AccountMailQuerySet.as_manager()

    class Meta(Mail.Meta):
        verbose_name = _("account e-mail")
        verbose_name_plural = _("account e-mails")

    @property
    def is_already_read(self) -> bool:
        """True once the recipient has read the announced message and all later ones."""
        if self.about is None:
            return False
        received = Message.objects.filter(
            conversation=self.about.conversation_id, recipient=self.about.recipient_id
        )
        return not received.unread().exists()

    def compose(self) -> EmailMultiAlternatives:
        if self.is_already_read:
            raise NotNeeded
        message = EmailMultiAlternatives(
            self.subject,
            self.text,
            to=[self.to],
            headers={"Message-ID": self.message_id, "Auto-Submitted": "auto-generated"}
            | request_ids.mail_headers(),
        )
        message.attach_alternative(self.html, "text/html")
        return message

    def on_change(self, event: str) -> None:
        if self.status not in UNSENT_STATUSES:
            type(self).objects.filter(pk=self.pk).update(subject="", text="", html="")
