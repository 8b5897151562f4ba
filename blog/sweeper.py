"""Hourly steps of the sweeper for accounts and notifications."""

import logging

from tasks import sweeper
from tasks.models.clock import from_now
from tasks.models.rows import change_each

from .accounts import sessions
from .models import AccountMail, ReservedName, User, reported_task_models
from .search import index as search_index

logger = logging.getLogger(__name__)


def prune_unconfirmed_users() -> None:
    if users := change_each(User.objects.never_confirmed(), _delete_unconfirmed):
        logger.info("Deleted %d users who never confirmed their address.", len(users))


def _delete_unconfirmed(user: User) -> bool:
    """Delete the user, who is locked, unless the address was confirmed just before."""
    is_unconfirmed = User.objects.never_confirmed().filter(pk=user.pk).exists()
    if is_unconfirmed:
        user.delete()
    return is_unconfirmed


def prune_account_mails() -> None:
    AccountMail.objects.prunable().delete()


def prune_reserved_names() -> None:
    ReservedName.objects.expired().delete()


def prune_task_notifications() -> None:
    old = from_now(-sweeper.KEEP_DETAIL_DAYS * 86400)
    for model in reported_task_models():
        model.prune_notifications(old)


def register() -> None:
    sweeper.register_prune_step(search_index.fill_missing)
    sweeper.register_prune_step(prune_unconfirmed_users)
    sweeper.register_prune_step(prune_account_mails)
    sweeper.register_prune_step(prune_reserved_names)
    sweeper.register_prune_step(prune_task_notifications)
    sweeper.register_prune_step(sessions.delete_expired)
