"""Header injection: line breaks in mail headers and URLs are rejected without a crash."""

from urllib.parse import quote

import pytest
from django.core import mail
from django.urls import NoReverseMatch, reverse

from blog.models import AccountMail, User
from blog.tests.accounts.test_signup import SIGNUP_DATA
from exports import delivery
from exports.archive.build import download_name_and_type
from exports.models import ExportMail, MailStatus, Purpose
from tasks import jobs

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LINE_BREAKS = ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85"]
INJECTED_HEADER = "Bcc: eve@elsewhere.example"


@pytest.mark.parametrize("line_break", LINE_BREAKS)
@pytest.mark.parametrize("field", ["username", "email"])
def test_signup_rejects_line_breaks(client, field, line_break):
    client.post(
        "/accounts/signup/",
        SIGNUP_DATA | {field: f"{SIGNUP_DATA[field]}{line_break}{INJECTED_HEADER}"},
    )
    assert not User.objects.exists()
    assert not AccountMail.objects.exists()


@pytest.mark.parametrize("line_break", LINE_BREAKS)
def test_address_forms_reject_line_breaks(client, reauthenticated_client, alice, line_break):
    reauthenticated_client.post(
        "/accounts/email/",
        {"email": f"new@microblog.example{line_break}{INJECTED_HEADER}", "action_add": ""},
    )
    client.post(
        "/accounts/password/reset/", {"email": f"{alice.email}{line_break}{INJECTED_HEADER}"}
    )
    assert not AccountMail.objects.exists()


@pytest.mark.parametrize("field", ["to", "subject"])
def test_account_mail_with_line_break_is_not_sent(field):
    fields = {
        "to": "alice@microblog.example",
        "subject": "Hello",
        "text": "Hello",
        "html": "<p>Hello",
    }
    pending = AccountMail.objects.create(
        **fields | {field: f"{fields[field]}\r\n{INJECTED_HEADER}"}
    )
    jobs.send_mail("blog.AccountMail", str(pending.pk), pending.tries)
    assert mail.outbox == []
    assert AccountMail.objects.filter(pk=pending.pk).exists()  # the sweeper gives it up later


@pytest.mark.django_db(transaction=True)
def test_archive_mail_with_line_break_is_given_up(alice, task):
    alice.emailaddress_set.update(email=f"alice@microblog.example\r\n{INJECTED_HEADER}")
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.send_mail("exports.ExportMail", str(pending.pk), pending.tries)
    pending.refresh_from_db()
    assert pending.status == MailStatus.GAVE_UP
    assert "Header values can't contain newlines" in pending.error
    assert mail.outbox == []


def test_username_with_line_break_reaches_no_header(alice, task):
    User.objects.filter(pk=alice.pk).update(username=f"alice\r\n{INJECTED_HEADER}")
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    delivery.compose_for_owner(pending).send()
    [message] = mail.outbox
    assert "Bcc" not in message.message()
    assert INJECTED_HEADER not in "\n".join(
        f"{name}: {value}" for name, value in message.message().items()
    )


def test_download_name_ignores_username(alice, task):
    User.objects.filter(pk=alice.pk).update(username=f'alice"\r\n{INJECTED_HEADER}')
    task.refresh_from_db()
    assert download_name_and_type(task)[0] == "posts.json"


@pytest.mark.parametrize("line_break", LINE_BREAKS)
def test_urls_with_line_breaks_are_404(client, line_break):
    for path in (f"/@alice{line_break}{INJECTED_HEADER}/feed/", f"/avatars/alice{line_break}.svg"):
        assert client.get(quote(path)).status_code == 404
    with pytest.raises(NoReverseMatch):
        reverse("profile-feed", args=[f"alice{line_break}"])
