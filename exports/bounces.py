"""Bounces that a mail provider reports after it accepted a mail."""

import logging
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType

from .models import ExportMail

logger = logging.getLogger(__name__)

BOUNCE_EVENTS = (EventType.BOUNCED, EventType.REJECTED, EventType.FAILED)


def record_bounce(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """Handle `anymail.signals.tracking`; ignore account mails, whose rows are deleted when sent."""
    if event.event_type not in BOUNCE_EVENTS or not event.message_id:
        return
    mails = ExportMail.objects.select_related("task")
    mail = mails.with_message_id(event.message_id).first()
    if mail is None:
        logger.info("%s reported a bounce of a mail that is not an export's.", esp_name)
        return
    # For staff. A server's answer may contain the address, so the sweeper clears the reason later.
    reason = [event.event_type, event.reject_reason, event.description, event.mta_response]
    if mail.mark_bounced(": ".join(str(part) for part in reason if part)[:1000]):
        logger.warning(
            "Mail %s of export %s bounced (%s).", mail.pk, mail.task_id, event.event_type
        )
