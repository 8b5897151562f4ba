"""Hourly steps of the sweeper for accounts and notifications."""

import logging

from tasks import sweeper
from tasks.models.clock import from_now

from .accounts import sessions
from .models import AccountMail, User, reported_task_models

logger = logging.getLogger(__name__)


def prune_unconfirmed_users() -> None:
    _, deleted = User.objects.never_confirmed().delete()
    if users := deleted.get(User._meta.label):
        logger.info("Deleted %d users who never confirmed their address.", users)


def prune_account_mails() -> None:
    AccountMail.objects.prunable().delete()


def prune_task_notifications() -> None:
    old = from_now(-sweeper.KEEP_DETAIL_DAYS * 86400)
    for model in reported_task_models():
        model.prune_notifications(old)


def register() -> None:
    sweeper.register_prune_step(prune_unconfirmed_users)
    sweeper.register_prune_step(prune_account_mails)
    sweeper.register_prune_step(prune_task_notifications)
    sweeper.register_prune_step(sessions.delete_expired)
