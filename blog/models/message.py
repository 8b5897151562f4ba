"""Private messages: conversations between two people."""

from __future__ import annotations

from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .person import User

MESSAGE_LENGTH = 2000  # characters as Python counts them: Unicode code points


class ConversationManager(models.Manager["Conversation"]):
    def between(self, one: User, other: User) -> Conversation:
        """The only one of the two, made where there is none."""
        if found := self.filter(participants__person=one, participants__other=other).first():
            return found
        try:
            with transaction.atomic():
                made = self.create()
                for person, partner in ((one, other), (other, one)):
                    Participant.objects.create(conversation=made, person=person, other=partner)
                return made
        except IntegrityError:  # the two began it at the same moment
            return self.get(participants__person=one, participants__other=other)


class Conversation(models.Model):
    """What two people write to each other. It goes with the account of either."""

    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = ConversationManager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")

    def __str__(self) -> str:
        return str(self.pk)

    def say(self, sender: User, recipient: User, body: str) -> Message:
        """Add a message, and bring the conversation to the top of both people's lists."""
        with transaction.atomic():
            message = Message.objects.create(conversation=self, sender=sender, recipient=recipient, body=body)
            self.participants.update(last_message_at=message.created_at)
        return message


class Participant(models.Model):
    """A conversation as one of its two people has it in their list."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants")
    person = models.ForeignKey(User, models.CASCADE, related_name="conversations", db_index=False)
    other = models.ForeignKey(User, models.CASCADE, related_name="+")
    last_message_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            # One conversation a pair: its index also finds it.
            models.UniqueConstraint(fields=["person", "other"], name="blog_participant_once"),
            models.CheckConstraint(condition=~models.Q(person=models.F("other")), name="blog_participant_not_self"),
        ]
        indexes = [
            # Somebody's conversations, the liveliest first.
            models.Index(fields=["person", "last_message_at", "id"], name="blog_participant_list")
        ]

    def __str__(self) -> str:
        return f"{self.person} – {self.other}"


class MessageQuerySet(models.QuerySet["Message"]):
    def unread(self) -> MessageQuerySet:
        return self.filter(read_at=None)


class Message(models.Model):
    """What one person has written to another."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages", db_index=False)
    sender = models.ForeignKey(User, models.CASCADE, related_name="sent_messages")
    recipient = models.ForeignKey(User, models.CASCADE, related_name="received_messages")
    body = models.TextField(
        _("text"), validators=[MaxLengthValidator(MESSAGE_LENGTH), ProhibitNullCharactersValidator()]
    )
    # Python's clock, because SQLite's own has milliseconds only.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            # The pages of a conversation.
            models.Index(fields=["conversation", "created_at", "id"], name="blog_message_pages"),
            # The number of unread ones, in all and by conversation, on every page.
            models.Index(
                fields=["recipient", "conversation"], condition=models.Q(read_at=None), name="blog_message_unread"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
