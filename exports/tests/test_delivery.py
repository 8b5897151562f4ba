from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils.formats import date_format

from exports import delivery, jobs
from exports.models import ErrorCode, ExportMail, ExportTask, Purpose

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def sent(task):
    jobs.run_export(str(task.pk), task.attempt)
    return mail.outbox[-1]


def test_it_carries_the_archive(alice, task, create_posts):
    create_posts(alice, 1200)
    message = sent(task)
    assert message.subject == "[Microblog] Your blog posts"
    assert message.to == ["alice@microblog.example"]
    attachment = message.attachments[0]
    assert (attachment.filename, attachment.mimetype) == ("posts.json", "application/json")
    assert "1,200 posts" in message.body
    assert message.alternatives[0].mimetype == "text/html"
    assert "1,200 posts" in message.alternatives[0].content


def test_it_names_itself_and_says_that_no_person_wrote_it(task):
    message = sent(task)
    assert message.extra_headers["Message-ID"] == f"<{task.mails.get().pk}@testserver>"
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_it_says_where_to_download_and_how_to_check(task):
    message = sent(task)
    task.refresh_from_db()
    assert f"http://testserver/exports/{task.pk}/" in message.body
    assert task.archive_sha256 in message.body


def test_it_says_until_when_in_the_owners_zone(alice, task):
    alice.time_zone = "Asia/Shanghai"
    alice.save()
    message = sent(task)
    task.refresh_from_db()
    day = date_format(
        task.archive_expires_at.astimezone(ZoneInfo("Asia/Shanghai")), "DATETIME_FORMAT"
    )
    assert f"until {day} CST:" in message.body
    assert f"until {day} CST:" in message.alternatives[0].content


def test_an_empty_archive_is_said_to_be_empty(task):
    message = sent(task)
    assert "not written any yet" in message.body
    assert message.attachments


def test_a_large_archive_is_linked_instead(alice, task, create_posts, settings):
    settings.EXPORT_MAIL_LIMIT = delivery.BODIES_BYTES + 100
    create_posts(alice, 10)
    message = sent(task)
    assert message.attachments == []
    assert "too large for an e-mail" in message.body
    assert f"http://testserver/exports/{task.pk}/" in message.body


@pytest.mark.parametrize("size", [0, 1, 57, 58, 1_000_000, 7_000_001])
def test_the_encoded_size_is_counted_not_the_files(size, settings):
    from email.message import EmailMessage

    message = EmailMessage()
    message.add_attachment(
        b"x" * size, maintype="application", subtype="json", filename="posts.json"
    )
    encoded = len(message.as_bytes().replace(b"\n", b"\r\n"))
    settings.EXPORT_MAIL_LIMIT = encoded - 1000
    assert not delivery.fits(size)
    settings.EXPORT_MAIL_LIMIT = encoded + delivery.BODIES_BYTES
    assert delivery.fits(size)


def test_a_failure_is_told_in_words_for_its_owner(task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "Traceback: secret things")
    delivery.send(task.owed_mail)
    message = mail.outbox[-1]
    assert message.subject == "[Microblog] Your blog posts could not be exported"
    assert "longer than an export may take" in message.body
    assert "secret" not in message.body
    assert message.attachments == []


def test_names_are_escaped_in_html_and_not_in_text(make_user):
    owner = make_user("a.b-c_d")
    task = ExportTask.objects.request(owner.pk)[0]
    message = sent(task)
    assert "Hello a.b-c_d," in message.body
    assert "&quot;" not in message.body


def test_it_goes_to_the_address_that_is_confirmed_now(alice, task):
    task.claim()
    task.finish("posts/none.json", 0, 10**9, "0" * 64)
    alice.emailaddress_set.update(email="new@microblog.example")
    delivery.send(task.owed_mail)
    assert mail.outbox[-1].to == ["new@microblog.example"]


def test_nothing_goes_to_an_unconfirmed_address(alice, task):
    alice.emailaddress_set.update(verified=False)
    owed = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    with pytest.raises(delivery.Undeliverable):
        delivery.send(owed)
