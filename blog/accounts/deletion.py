"""How an account, and all that belongs to it, goes."""

from collections.abc import Callable

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction

from ..models import Conversation, User

_callbacks: list[Callable[[User], None]] = []


def before_delete(callback: Callable[[User], None]) -> None:
    """Have `callback` called with each person who is about to be deleted, in the transaction that does it.

    What cannot be rolled back, such as removing files, it leaves to `transaction.on_commit`.
    """
    _callbacks.append(callback)


def delete_account(user: User, *, by_staff: bool = False) -> None:
    """Delete a person, all their rows and sessions, and what others keep of them; tell them at their address."""
    address = user.confirmed_email
    with transaction.atomic():
        for callback in _callbacks:
            callback(user)
        if address:
            facts = {"name": user.username, "by_staff": by_staff}
            get_adapter().send_mail("account/email/account_deleted", address, facts)
        Conversation.objects.filter(participants__person=user).delete()
        for session in UserSession.objects.filter(user=user):
            session.end()
        user.delete()
