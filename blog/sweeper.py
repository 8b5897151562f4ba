"""Hourly steps of the sweeper for accounts."""

import logging

from tasks import sweeper

from .accounts import sessions
from .models import AccountMail, User

logger = logging.getLogger(__name__)


def prune_unconfirmed_users() -> None:
    _, deleted = User.objects.never_confirmed().delete()
    if users := deleted.get(User._meta.label):
        logger.info("Deleted %d users who never confirmed their address.", users)


def prune_account_mails() -> None:
    AccountMail.objects.prunable().delete()


def register() -> None:
    sweeper.register_prune_step(prune_unconfirmed_users)
    sweeper.register_prune_step(prune_account_mails)
    sweeper.register_prune_step(sessions.delete_expired)
