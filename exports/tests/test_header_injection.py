"""A line break in what becomes a header: none gets through, and no job dies of it."""

from urllib.parse import quote

import pytest
from django.core import mail
from django.urls import NoReverseMatch, reverse

from blog.accounts.jobs import send_account_mail
from blog.models import AccountMail, User
from blog.tests.accounts.test_signup import CAROL
from exports import delivery, jobs
from exports.archive.build import download_name
from exports.models import ExportMail, MailStatus, Purpose

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

BREAKS = ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85"]
BCC = "Bcc: eve@elsewhere.example"


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("field", ["username", "email"])
def test_nobody_signs_up_with_one(client, field, line_break):
    client.post("/accounts/signup/", CAROL | {field: f"{CAROL[field]}{line_break}{BCC}"})
    assert not User.objects.exists()
    assert not AccountMail.objects.exists()


@pytest.mark.parametrize("line_break", BREAKS)
def test_no_mail_is_owed_to_one(client, reauthenticated_client, alice, line_break):
    reauthenticated_client.post(
        "/accounts/email/", {"email": f"new@microblog.example{line_break}{BCC}", "action_add": ""}
    )
    client.post("/accounts/password/reset/", {"email": f"{alice.email}{line_break}{BCC}"})
    assert not AccountMail.objects.exists()


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_mail_about_an_account_that_has_one_is_not_sent(field):
    fields = {
        "to": "alice@microblog.example",
        "subject": "Hello",
        "text": "Hello",
        "html": "<p>Hello",
    }
    owed = AccountMail.objects.create(**fields | {field: f"{fields[field]}\r\n{BCC}"})
    send_account_mail(str(owed.pk), owed.tries)
    assert mail.outbox == []
    assert AccountMail.objects.filter(pk=owed.pk).exists()  # until the sweeper gives it up


@pytest.mark.django_db(transaction=True)
def test_an_archives_mail_to_one_waits_and_the_worker_goes_on(alice, task):
    alice.emailaddress_set.update(email=f"alice@microblog.example\r\n{BCC}")
    owed = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.deliver_mail(str(owed.pk))
    owed.refresh_from_db()
    assert owed.status == MailStatus.PENDING
    assert "Header values can't contain newlines" in owed.error
    assert mail.outbox == []


def test_a_name_that_got_past_every_form_is_in_no_header(alice, task):
    User.objects.filter(pk=alice.pk).update(username=f"alice\r\n{BCC}")
    owed = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    delivery.send(owed)
    [message] = mail.outbox
    assert "Bcc" not in message.message()
    assert BCC not in "\n".join(f"{name}: {value}" for name, value in message.message().items())


def test_file_names_are_ours(alice, task):
    User.objects.filter(pk=alice.pk).update(username=f'alice"\r\n{BCC}')
    task.refresh_from_db()
    assert download_name(task)[0] == "posts.json"


@pytest.mark.parametrize("line_break", BREAKS)
def test_no_address_of_the_site_holds_one(client, line_break):
    for path in (f"/@alice{line_break}{BCC}/feed/", f"/avatars/alice{line_break}.svg"):
        assert client.get(quote(path)).status_code == 404
    with pytest.raises(NoReverseMatch):
        reverse("profile-feed", args=[f"alice{line_break}"])
