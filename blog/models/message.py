"""Private messages in conversations between two users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from ..pagination import Cursor, newer_rows
from .block import Block, unblocked, unmuted
from .notification import Notification

if TYPE_CHECKING:
    from .user import User

MAX_MESSAGE_LENGTH = 2000  # Unicode code points, as Python counts


class ConversationManager(models.Manager["Conversation"]):
    def get_or_create_between(self, user: User, other: User) -> Conversation:
        if conversation := self.filter(
            participants__person=user, participants__other=other
        ).first():
            return conversation
        try:
            with transaction.atomic():
                conversation = self.create()
                # Insert in primary-key order, so that two concurrent creators cannot deadlock.
                pairs = sorted([(user, other), (other, user)], key=lambda pair: pair[0].pk)
                for person, partner in pairs:
                    Participant.objects.create(
                        conversation=conversation, person=person, other=partner
                    )
                return conversation
        except IntegrityError:  # a concurrent request created it
            return self.get(participants__person=user, participants__other=other)


class Conversation(models.Model):
    """Conversation between two users. It is deleted with the account of either."""

    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = ConversationManager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")

    def __str__(self) -> str:
        return str(self.pk)

    def add_message(
        self, sender: User, recipient: User, body: str, after: Cursor | None = None
    ) -> Message | None:
        """Add a message and create the recipient's notification.

        Return None for a repeated submission: the sender has already sent the same text since
        `after`, the last message that their page showed.
        """
        with transaction.atomic():
            participants = list(self.participants.select_for_update().order_by("pk"))
            if after and newer_rows(self.messages.filter(sender=sender, body=body), after).exists():
                return None
            message = Message.objects.create(
                conversation=self,
                sender=sender,
                recipient=recipient,
                body=body,
                created_at=_next_timestamp(participants),
            )
            self.participants.update(last_message_at=message.created_at)
            Notification.objects.upsert(
                recipient.pk, self.notification_name, {"name": sender.username}, actor=sender
            )
        return message

    @property
    def notification_name(self) -> str:
        return f"message:{self.pk}"


def _next_timestamp(participants: Iterable[Participant]) -> datetime:
    """Return a timestamp later than every message, so that cursor polling never skips one."""
    times = [row.last_message_at for row in participants if row.last_message_at]
    return max([timezone.now(), *(time + timedelta(microseconds=1) for time in times)])


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def listed_for(self, user: User) -> ParticipantQuerySet:
        """Filter conversations with messages and no block, and annotate their `unread` count."""
        unread = Message.objects.unread().filter(
            recipient=user, conversation=models.OuterRef("conversation")
        )
        count = unread.order_by().values("conversation").values(count=models.Count("pk"))
        return self.filter(unblocked(user, "other"), last_message_at__isnull=False).annotate(
            unread=Coalesce(models.Subquery(count), 0)
        )


class Participant(models.Model):
    """Conversation in the list of one of its two users."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations", db_index=False
    )
    other = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    last_message_at = models.DateTimeField(null=True, editable=False)

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            # One conversation for a pair of users. Its index also finds the conversation.
            models.UniqueConstraint(fields=["person", "other"], name="blog_participant_once"),
            models.CheckConstraint(
                condition=~models.Q(person=models.F("other")), name="blog_participant_not_self"
            ),
        ]
        indexes = [
            # The conversations of a user, latest message first.
            models.Index(fields=["person", "last_message_at", "id"], name="blog_participant_list")
        ]

    def __str__(self) -> str:
        return f"{self.person} – {self.other}"

    @cached_property
    def is_blocked(self) -> bool:
        return Block.objects.between(self.person, self.other).exists()

    def mark_read(self, until: Cursor) -> None:
        received = Message.objects.filter(conversation=self.conversation_id, recipient=self.person)
        # On SQLite even an UPDATE of no rows takes the write lock, so look first.
        if not received.unread().up_to(until).exists():
            return
        with transaction.atomic():
            received.unread().up_to(until).update(read_at=timezone.now())
            if not received.unread().exists():
                name = self.conversation.notification_name
                self.person.notifications.filter(name=name).mark_read()


class MessageQuerySet(models.QuerySet["Message"]):
    def unread(self) -> MessageQuerySet:
        return self.filter(read_at=None)

    def up_to(self, cursor: Cursor) -> MessageQuerySet:
        later = models.Q(created_at=cursor.moment, pk__gt=cursor.pk)
        return self.filter(~later, created_at__lte=cursor.moment)

    def last_by_conversation(self, participants: Iterable[Participant]) -> dict[int, Message]:
        times = {
            row.conversation_id: row.last_message_at for row in participants if row.last_message_at
        }
        messages = self.filter(conversation__in=times, created_at__in=times.values())
        return {
            message.conversation_id: message
            for message in messages
            if message.created_at == times[message.conversation_id]
        }

    def newest_first(self) -> MessageQuerySet:
        return self.order_by("-created_at", "-pk")

    def unread_for(self, user: User) -> MessageQuerySet:
        return self.unread().filter(
            unblocked(user, "sender"),
            unmuted(user, "sender"),
            sender__is_active=True,
            recipient=user,
        )


class Message(models.Model):
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", db_index=False
    )
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="sent_messages"
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="received_messages"
    )
    body = models.TextField(
        _("text"),
        validators=[MaxLengthValidator(MAX_MESSAGE_LENGTH), ProhibitNullCharactersValidator()],
    )
    # SQLite's clock has only milliseconds, so use Python's.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True, editable=False)

    # Usernames that the body mentions, by their lower case. `blog.linkify` fills it.
    mentions: Mapping[str, str] = MappingProxyType({})

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            # The pages of a conversation.
            models.Index(fields=["conversation", "created_at", "id"], name="blog_message_pages"),
            # The unread counts: in total on every page, and for each conversation in the list.
            models.Index(
                fields=["recipient", "conversation"],
                condition=models.Q(read_at=None),
                name="blog_message_unread",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
