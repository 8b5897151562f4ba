"""Deletion of an account: closed at once, and its rows deleted in batches by a durable task."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import get_language

from tasks import jobs
from tasks.heartbeat import Heartbeat

from ..models import AccountDeletion, ApiToken, Conversation, Message, User

BATCH_SIZE = 500
# SQLite's lock is unfair, so other writers get a chance between two batches.
PAUSE_SECONDS = 0.005

_callbacks: list[Callable[[User], None]] = []


def before_delete(callback: Callable[[User], None]) -> None:
    """Register a function that is called with each user whose deletion is requested.

    It runs in the request's transaction. Work that cannot be rolled back, such as deleting files,
    belongs into `transaction.on_commit`.
    """
    _callbacks.append(callback)


def request_deletion(
    user: User, *, by_staff: bool = False, actor: User | None = None
) -> AccountDeletion:
    """Close and hide the account, end its sessions and tokens, and enqueue its deletion.

    A second request returns the unfinished task of the first.
    """
    with transaction.atomic():
        task, is_new = AccountDeletion.objects.get_or_create_unfinished(
            user, actor=actor, is_by_staff=by_staff, language=get_language() or ""
        )
        if not is_new:
            return task
        User.objects.filter(pk=user.pk).update(is_active=False)
        ApiToken.objects.filter(owner=user).delete()
        for session in UserSession.objects.filter(user=user):
            session.end()
        for callback in _callbacks:
            callback(user)
        transaction.on_commit(partial(jobs.enqueue_task, task), robust=True)
    return task


def delete_rows(task: AccountDeletion, heartbeat: Heartbeat) -> int:
    """Delete all rows that belong to the owner, in batches; return their number.

    Each batch is a transaction of its own, so that no other writer waits for long, and an attempt
    that was killed is continued by the next one.
    """
    done = task.rows_done
    if task.owner_id is None:
        return done
    owned = list(_owned_rows(task.owner_id))
    total = done + sum(rows.count() for rows in owned)
    AccountDeletion.objects.filter(pk=task.pk).update(rows_total=total)
    for rows in owned:
        while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE]):
            rows.model._default_manager.filter(pk__in=keys).delete()
            done += len(keys)
            heartbeat.report(done)
            heartbeat.wait(PAUSE_SECONDS)
    return done


def _owned_rows(user_id: int) -> Iterator[QuerySet[Any]]:
    """Yield the rows that the database would delete with the user, messages before all others.

    A conversation may hold any number of messages, which its deletion would take in one statement.
    Addresses are left to the last transaction, whose mail needs one.
    """
    conversations = Conversation.objects.filter(participants__person=user_id)
    yield Message.objects.filter(conversation__in=conversations.values("pk"))
    yield conversations
    for relation in User._meta.related_objects:
        model: Any = relation.related_model
        if relation.on_delete is models.CASCADE and model is not EmailAddress:
            yield model._default_manager.filter(**{relation.field.name: user_id})


def lock_user(user_id: int | None) -> User | None:
    """Lock a user's row, before any other row of theirs; None if the user is gone."""
    return User.objects.select_for_update().filter(pk=user_id).first() if user_id else None


def delete_user(user: User, *, by_staff: bool) -> None:
    """Delete the user and what was added since the last batch; confirm it by mail."""
    if address := user.confirmed_email:
        context = {"name": user.username, "by_staff": by_staff}
        get_adapter().send_mail("account/email/account_deleted", address, context)
    user.delete()
