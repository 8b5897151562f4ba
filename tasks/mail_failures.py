"""Classification of failures to send a mail: permanent, too large or transient."""

import re
from enum import Enum
from smtplib import SMTPRecipientsRefused, SMTPResponseException

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
)
from django.core.exceptions import ImproperlyConfigured

# smtplib's and requests' errors are OSErrors. All other exceptions are faults of ours.
MAIL_SERVER_ERRORS = (OSError, AnymailError, ImproperlyConfigured)

PERMANENT_CODES = {550, 551, 553}
TOO_LARGE_CODE = 552
TOO_LARGE_ENHANCED_CODES = {"5.3.4", "5.2.3"}
HTTP_TOO_LARGE = 413
ENHANCED_CODE = re.compile(rb"^\s*(\d\.\d{1,3}\.\d{1,3})\b")


class MailFailure(Enum):
    PERMANENT = "permanent"
    """The recipient was refused: give up."""
    TOO_LARGE = "too large"
    """Send it without its attachment."""
    TRANSIENT = "transient"
    """Try again later. This includes wrong credentials, which the operator can correct."""


def classify(error: Exception) -> MailFailure:
    if isinstance(error, SMTPRecipientsRefused):
        # Each of our mails has one recipient.
        [(code, answer)] = list(error.recipients.values())[:1] or [(0, b"")]
        return _classify_answer(code, answer)
    if isinstance(error, SMTPResponseException):
        return _classify_answer(error.smtp_code, error.smtp_error)
    if isinstance(error, (AnymailRecipientsRefused, AnymailInvalidAddress)):
        return MailFailure.PERMANENT
    if isinstance(error, AnymailAPIError) and error.status_code == HTTP_TOO_LARGE:
        return MailFailure.TOO_LARGE
    return MailFailure.TRANSIENT


def _classify_answer(code: int, answer: bytes | str) -> MailFailure:
    """Classify an SMTP answer by its code and its enhanced code (RFC 3463), if it has one."""
    text = answer.encode() if isinstance(answer, str) else answer
    found = ENHANCED_CODE.match(text)
    enhanced = found[1].decode() if found else ""
    if enhanced in TOO_LARGE_ENHANCED_CODES or (code == TOO_LARGE_CODE and not enhanced):
        return MailFailure.TOO_LARGE
    if 500 <= code < 600 and (code in PERMANENT_CODES or enhanced.startswith("5.1.")):
        return MailFailure.PERMANENT
    return MailFailure.TRANSIENT
