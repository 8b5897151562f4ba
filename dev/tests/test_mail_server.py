import smtplib
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.mail_server import MAX_MESSAGE_BYTES
from dev.stack import Stack


@pytest.fixture
def mail_server(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start("mail")
        yield stack


def send(stack: Stack, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", urlsplit(stack.env["EMAIL_URL"]).port or 0) as connection:
        connection.send_message(message, "noreply@microblog.example")


def mail(to: str, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["To"] = to
    message["Subject"] = "Grüße"
    message.set_content("Hello.\n.a line that begins with a dot\n")
    return message


def test_message_arrives_unchanged(mail_server):
    message = mail("alice@microblog.example")
    message.add_attachment(
        b'{"posts": []}' * 1000, maintype="application", subtype="json", filename="posts.json"
    )

    send(mail_server, message)

    arrived = mail_server.mailbox.wait("alice@microblog.example", seconds=5)
    assert arrived.message["subject"] == "Grüße"
    assert arrived.message.get_body().get_content().splitlines() == [
        "Hello.",
        ".a line that begins with a dot",
    ]
    assert arrived.attachment("posts.json").get_content() == b'{"posts": []}' * 1000
    assert arrived.attachment("other.json") is None


def test_file_names_sort_by_arrival(mail_server):
    for number in range(3):
        send(mail_server, mail(f"{number}@microblog.example"))

    folder = Path(mail_server.env["MAIL_DIR"])
    first = mail_server.mailbox.wait("0@microblog.example", seconds=5)
    assert [path.suffix for path in folder.iterdir()] == [".eml"] * 3
    assert (
        mail_server.mailbox.mails("2@microblog.example")[0].path.name
        == mail_server.mailbox.newest_name()
    )
    assert mail_server.mailbox.mails("0@microblog.example", after=first.path.name) == []


def test_message_over_size_limit_is_refused(mail_server):
    message = mail("alice@microblog.example")
    message.add_attachment(
        b"x" * MAX_MESSAGE_BYTES, maintype="application", subtype="octet-stream", filename="large"
    )

    with pytest.raises(smtplib.SMTPException):
        send(mail_server, message)


def test_wait_for_missing_mail_times_out(mail_server):
    with pytest.raises(TimeoutError, match="No mail to alice@"):
        mail_server.mailbox.wait("alice@microblog.example", seconds=0.1)
