"""Deletion of an account with all its data."""

from collections.abc import Callable

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction

from ..models import Conversation, User

_callbacks: list[Callable[[User], None]] = []


def before_delete(callback: Callable[[User], None]) -> None:
    """Register a function that is called with each user before deletion, in the same transaction.

    Work that cannot be rolled back, such as deleting files, belongs into `transaction.on_commit`.
    """
    _callbacks.append(callback)


def delete_account(user: User, *, by_staff: bool = False) -> None:
    """Delete a user, their rows, sessions and conversations, and confirm it by mail."""
    address = user.confirmed_email
    with transaction.atomic():
        for callback in _callbacks:
            callback(user)
        if address:
            context = {"name": user.username, "by_staff": by_staff}
            get_adapter().send_mail("account/email/account_deleted", address, context)
        Conversation.objects.filter(participants__person=user).delete()
        for session in UserSession.objects.filter(user=user):
            session.end()
        user.delete()
