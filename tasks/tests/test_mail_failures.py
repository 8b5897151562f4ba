from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

import pytest
from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused

from tasks.mail_failures import MailFailure, classify

TO = "alice@microblog.example"


@pytest.mark.parametrize(
    "error",
    [
        SMTPRecipientsRefused({TO: (550, b"5.1.1 No such user")}),
        SMTPRecipientsRefused({TO: (551, b"User not local")}),
        SMTPRecipientsRefused({TO: (553, b"Name not allowed")}),
        SMTPRecipientsRefused({TO: (554, b"5.1.10 Null MX")}),
        SMTPDataError(550, b"5.7.1 Refused"),
        SMTPDataError(556, "5.1.2 Bad destination"),
        AnymailRecipientsRefused(),
    ],
)
def test_refused_recipient_is_permanent(error):
    assert classify(error) is MailFailure.PERMANENT


@pytest.mark.parametrize(
    "error",
    [
        SMTPSenderRefused(552, b"5.3.4 Too big", TO),
        SMTPDataError(552, b"Message size exceeds fixed limit"),
        SMTPDataError(554, b"5.3.4 Message too big for system"),
        AnymailAPIError(status_code=413),
    ],
)
def test_large_message_is_told_apart(error):
    assert classify(error) is MailFailure.TOO_LARGE


@pytest.mark.parametrize(
    "error",
    [
        SMTPRecipientsRefused({TO: (450, b"4.2.1 Mailbox busy")}),
        SMTPRecipientsRefused({TO: (452, b"4.2.2 Mailbox full")}),
        SMTPRecipientsRefused({TO: (552, b"5.2.2 Mailbox full")}),
        SMTPDataError(451, b"4.1.8 Try later"),
        SMTPDataError(554, b"Transaction failed"),
        SMTPAuthenticationError(535, b"5.7.8 Wrong password"),
        SMTPConnectError(421, b"Busy"),
        SMTPServerDisconnected("closed"),
        TimeoutError("timed out"),
        ConnectionRefusedError(111, "refused"),
        AnymailAPIError(status_code=503),
    ],
)
def test_passing_failure_is_transient(error):
    assert classify(error) is MailFailure.TRANSIENT
