"""Mails sent to real SMTP servers that answer in every way."""

import pytest

from microblog.tests.test_smtp import Handler, serving
from tasks import jobs
from tasks.models import MailStatus

from .conftest import reload
from .models import SampleMail

pytestmark = pytest.mark.django_db(transaction=True)


class Answering(Handler):
    """Answers RCPT or DATA with a fixed line, and takes nothing."""

    def __init__(self, recipient=None, data=None):
        super().__init__()
        self.recipient = recipient
        self.data = data

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.recipient:
            return self.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return self.data or await super().handle_DATA(server, session, envelope)


@pytest.fixture
def mail(task):
    return SampleMail.objects.create(task=task)


@pytest.fixture
def send(mail, settings):
    """Send the mail through a server with the given handler; return its row."""

    def send(handler, **options):
        with serving(handler, **options) as port:
            settings.EMAIL_BACKEND = "microblog.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
            row = reload(mail)
            jobs.send_mail("sample.SampleMail", str(row.pk), row.tries)
        return reload(mail)

    return send


@pytest.mark.parametrize(
    "handler",
    [
        Answering(recipient="550 5.1.1 No such user"),
        Answering(recipient="551 User not local"),
        Answering(recipient="553 5.1.3 Bad address"),
        Answering(recipient="554 5.1.8 Bad sender"),
        Answering(data="550 5.7.1 Refused by policy"),
    ],
    ids=lambda handler: handler.recipient or handler.data,
)
def test_refused_recipient_is_given_up_at_once(send, handler):
    row = send(handler)
    assert (row.status, row.tries) == (MailStatus.GAVE_UP, 1)
    assert row.error


@pytest.mark.parametrize(
    "handler",
    [
        Answering(recipient="450 4.2.1 Mailbox busy"),
        Answering(recipient="452 4.2.2 Mailbox full"),
        Answering(data="451 4.3.0 Try again"),
        Answering(data="421 4.4.2 Shutting down"),
        Answering(data="554 Transaction failed"),
    ],
    ids=lambda handler: handler.recipient or handler.data,
)
def test_temporary_refusal_is_retried(send, handler):
    row = send(handler)
    assert (row.status, row.tries) == (MailStatus.PENDING, 1)
    taking = Handler()
    assert send(taking).status == MailStatus.SENT
    assert len(taking.messages) == 1


@pytest.mark.parametrize(
    "handler",
    [Answering(data="552 5.3.4 Message too big"), Answering(data="552 Too much mail data")],
    ids=lambda handler: handler.data,
)
def test_refused_size_drops_the_attachment(send, handler):
    row = send(handler)
    assert (row.status, row.has_attachment) == (MailStatus.PENDING, False)
    taking = Handler()
    assert send(taking).status == MailStatus.SENT
    assert b"count.txt" not in taking.messages[0]


def test_announced_size_drops_the_attachment(send):
    taking = Handler()
    row = send(taking, data_size_limit=2000)
    assert (row.status, row.has_attachment, taking.messages) == (MailStatus.PENDING, False, [])
    assert send(taking, data_size_limit=2000).status == MailStatus.SENT


def test_slow_server_gets_the_mail_once(send, settings):
    settings.EMAIL_TIMEOUT = 0.3
    slow = Handler(pause=1.0)
    assert send(slow).status == MailStatus.SENT
    assert len(slow.messages) == 1


def test_unreachable_server_is_retried(mail, settings):
    settings.EMAIL_BACKEND = "microblog.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    jobs.send_mail("sample.SampleMail", str(mail.pk), 0)
    assert reload(mail).status == MailStatus.PENDING
