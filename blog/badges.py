"""The numbers beside the navigation's links: what is there that the person has not seen."""

from typing import Any

from django.db.models import Count, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from .http import PersonRequest
from .models import Message, Notification, User, unblocked, unmuted

NAMES = ("messages", "notifications")
MESSAGE = "message:"  # what such a notification says, the number of messages says already


def unread(request: PersonRequest) -> dict[str, Any]:
    """`unread_messages`, `unread_notifications`, and `now` by the database: one query a request."""
    if not hasattr(request, "unread"):
        request.unread = dict(User.objects.values(now=Now(), **counts(request.user)).get(pk=request.user.pk))
    return request.unread


def counts(user: User) -> dict[str, Coalesce]:
    """The same as expressions, for a query that is made anyway."""
    notifications = (
        Notification.objects.filter(user=user.pk).news().unread().visible_to(user).exclude(name__startswith=MESSAGE)
    )
    senders = unblocked(user, "sender") & unmuted(user, "sender")
    messages = Message.objects.filter(senders, recipient=user.pk, sender__is_active=True).unread()
    return {"unread_messages": _count(messages, "recipient"), "unread_notifications": _count(notifications, "user")}


def _count(rows: QuerySet[Message] | QuerySet[Notification], whose: str) -> Coalesce:
    return Coalesce(Subquery(rows.order_by().values(whose).values(count=Count("pk"))), 0)
