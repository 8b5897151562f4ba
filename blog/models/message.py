"""Private messages: conversations between two people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from ..pagination import Cursor, newer_rows
from .block import Block, unblocked, unmuted
from .notification import Notification
from .user import User

MESSAGE_LENGTH = 2000  # characters as Python counts them: Unicode code points


class ConversationManager(models.Manager["Conversation"]):
    def between(self, one: User, other: User) -> Conversation:
        """The only one of the two, made where there is none."""
        if found := self.filter(participants__person=one, participants__other=other).first():
            return found
        try:
            with transaction.atomic():
                made = self.create()
                # In one order, whoever begins: otherwise each of two would wait for the row that the other has made.
                for person, partner in sorted(
                    [(one, other), (other, one)], key=lambda pair: pair[0].pk
                ):
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

    def say(
        self, sender: User, recipient: User, body: str, after: Cursor | None = None
    ) -> Message | None:
        """Add a message, bring the conversation to the top of both people's lists, and tell the recipient.

        What the sender has said in the same words since `after`, the last that their page showed, was sent twice, and
        is said once: then None.
        """
        with transaction.atomic():
            places = list(self.participants.select_for_update().order_by("pk"))
            if after and newer_rows(self.messages.filter(sender=sender, body=body), after).exists():
                return None
            message = Message.objects.create(
                conversation=self,
                sender=sender,
                recipient=recipient,
                body=body,
                created_at=_after_all(places),
            )
            self.participants.update(last_message_at=message.created_at)
            Notification.objects.put(
                recipient.pk, self.news_name, {"name": sender.username}, actor=sender
            )
        return message

    @property
    def news_name(self) -> str:
        """Under which its people are told of what is new in it."""
        return f"message:{self.pk}"


def _after_all(places: Iterable[Participant]) -> datetime:
    """Now, and later than any other message: whoever reads on after the last one they know misses none."""
    said = [place.last_message_at for place in places if place.last_message_at]
    return max([timezone.now(), *(moment + timedelta(microseconds=1) for moment in said)])


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def listed_for(self, person: User) -> ParticipantQuerySet:
        """Those with something in them and nobody blocked, and how many messages in each are `unread`."""
        unread = Message.objects.unread().filter(
            recipient=person, conversation=models.OuterRef("conversation")
        )
        counted = unread.order_by().values("conversation").values(count=models.Count("pk"))
        return self.filter(unblocked(person, "other"), last_message_at__isnull=False).annotate(
            unread=Coalesce(models.Subquery(counted), 0)
        )


class Participant(models.Model):
    """A conversation as one of its two people has it in their list."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants")
    person = models.ForeignKey(User, models.CASCADE, related_name="conversations", db_index=False)
    other = models.ForeignKey(User, models.CASCADE, related_name="+")
    last_message_at = models.DateTimeField(null=True, editable=False)

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            # One conversation a pair: its index also finds it.
            models.UniqueConstraint(fields=["person", "other"], name="blog_participant_once"),
            models.CheckConstraint(
                condition=~models.Q(person=models.F("other")), name="blog_participant_not_self"
            ),
        ]
        indexes = [
            # Somebody's conversations, the liveliest first.
            models.Index(fields=["person", "last_message_at", "id"], name="blog_participant_list")
        ]

    def __str__(self) -> str:
        return f"{self.person} – {self.other}"

    @cached_property
    def is_blocked(self) -> bool:
        """Whether either has blocked the other."""
        return Block.objects.between(self.person, self.other).exists()

    def mark_read(self, until: Cursor) -> None:
        """Have read what the other has written up to the cursor."""
        received = Message.objects.filter(conversation=self.conversation_id, recipient=self.person)
        # Looked for first: on SQLite even an UPDATE of nothing waits for every other writer.
        if not received.unread().until(until).exists():
            return
        with transaction.atomic():
            received.unread().until(until).update(read_at=timezone.now())
            if not received.unread().exists():
                self.person.notifications.filter(name=self.conversation.news_name).mark_read()


class MessageQuerySet(models.QuerySet["Message"]):
    def unread(self) -> MessageQuerySet:
        return self.filter(read_at=None)

    def until(self, cursor: Cursor) -> MessageQuerySet:
        """Up to the cursor, and with it."""
        later = models.Q(created_at=cursor.moment, pk__gt=cursor.pk)
        return self.filter(~later, created_at__lte=cursor.moment)

    def last_of(self, places: Iterable[Participant]) -> dict[int, Message]:
        """The last message of each of the conversations, by its key: the one that gave it its time."""
        wanted = {
            place.conversation_id: place.last_message_at
            for place in places
            if place.last_message_at
        }
        found = self.filter(conversation__in=wanted, created_at__in=wanted.values())
        return {
            message.conversation_id: message
            for message in found
            if message.created_at == wanted[message.conversation_id]
        }

    def newest_first(self) -> MessageQuerySet:
        return self.order_by("-created_at", "-pk")

    def announced_to(self, person: User) -> MessageQuerySet:
        """Those that they have not read, without what blocked, muted or closed accounts wrote."""
        senders = (
            unblocked(person, "sender")
            & unmuted(person, "sender")
            & models.Q(sender__is_active=True)
        )
        return self.unread().filter(senders, recipient=person)


class Message(models.Model):
    """What one person has written to another."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", db_index=False
    )
    sender = models.ForeignKey(User, models.CASCADE, related_name="sent_messages")
    recipient = models.ForeignKey(User, models.CASCADE, related_name="received_messages")
    body = models.TextField(
        _("text"),
        validators=[MaxLengthValidator(MESSAGE_LENGTH), ProhibitNullCharactersValidator()],
    )
    # Python's clock, because SQLite's own has milliseconds only.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True, editable=False)

    mentions: Mapping[str, str] = MappingProxyType({})
    """Names that the text may mention and that exist, once `mentions.attach` has looked."""

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            # The pages of a conversation.
            models.Index(fields=["conversation", "created_at", "id"], name="blog_message_pages"),
            # The number of unread ones, in all and by conversation, on every page.
            models.Index(
                fields=["recipient", "conversation"],
                condition=models.Q(read_at=None),
                name="blog_message_unread",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
