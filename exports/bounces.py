"""Bounces that a mail provider reports after it accepted a mail."""

import logging
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType
from django.db import transaction

from .models import EarlyBounce, ExportMail

logger = logging.getLogger(__name__)

MAX_ID_LENGTH = 255  # of the column
BOUNCE_EVENTS = (EventType.BOUNCED, EventType.REJECTED, EventType.FAILED)


def record_bounce(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """Handle `anymail.signals.tracking`; the bounces of mails about accounts are ignored."""
    if event.event_type not in BOUNCE_EVENTS or not event.message_id:
        return
    # For staff. A server's answer may contain the address, so the sweeper clears the reason later.
    parts = [event.event_type, event.reject_reason, event.description, event.mta_response]
    reason = ": ".join(str(part) for part in parts if part)[:1000]
    mail = _find_mail(event.message_id) or _keep_early_bounce(event.message_id, reason)
    if mail is None:
        logger.info("%s reported a bounce of a mail that is not known.", esp_name)
    elif mail.mark_bounced(reason):
        logger.warning(
            "Mail %s of export %s bounced (%s).", mail.pk, mail.task_id, event.event_type
        )


def _find_mail(message_id: str) -> ExportMail | None:
    return ExportMail.objects.select_related("task").with_message_id(message_id).first()


@transaction.atomic
def _keep_early_bounce(message_id: str, reason: str) -> ExportMail | None:
    """Keep the bounce while mails are being sent whose ids the provider has not told us yet.

    Return the mail if its id has been recorded meanwhile.
    """
    # A sender that is just recording the provider's id waits for this lock, or has committed when
    # it is acquired: either it finds the early bounce, or the mail is found here. Nothing else is
    # locked in this transaction, because everybody else locks the owner first.
    sending = list(ExportMail.objects.being_sent().order_by("pk").select_for_update().values("pk"))
    mail = _find_mail(message_id)
    if mail is None and sending and len(message_id) <= MAX_ID_LENGTH:
        EarlyBounce.objects.get_or_create(message_id=message_id, defaults={"reason": reason})
    return mail
