"""What a mail provider tells us after it has taken a mail."""

import logging
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType

from .models import ExportMail

logger = logging.getLogger(__name__)

REFUSED = (EventType.BOUNCED, EventType.REJECTED, EventType.FAILED)


def note(sender: Any, event: AnymailTrackingEvent, esp_name: str, **more: Any) -> None:
    """A receiver of `anymail.signals.tracking`. Mails about accounts, whose rows are gone, are passed over."""
    if event.event_type not in REFUSED or not event.message_id:
        return
    mail = ExportMail.objects.select_related("task").known_as(event.message_id).first()
    if mail is None:
        logger.info("%s refused a mail that is no export's.", esp_name)
    elif mail.bounce(_reason(event)):
        logger.warning(
            "Mail %s of export %s was refused (%s).", mail.pk, mail.task_id, event.event_type
        )


def _reason(event: AnymailTrackingEvent) -> str:
    """For staff; it may hold the address, and is forgotten with other errors."""
    words = [event.event_type, event.reject_reason, event.description, event.mta_response]
    return ": ".join(str(word) for word in words if word)[:1000]
