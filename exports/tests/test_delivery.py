from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils.formats import date_format

from exports import delivery
from exports.models import ErrorCode, ExportMail, ExportTask, Purpose
from exports.tests.conftest import build_result
from tasks import jobs
from tasks.models import Undeliverable

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def run_and_get_mail(task):
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    return mail.outbox[-1]


def test_mail_has_archive_attached(alice, task, create_posts):
    create_posts(alice, 1200)
    message = run_and_get_mail(task)
    assert message.subject == "[Microblog] Your blog posts"
    assert message.to == ["alice@microblog.example"]
    attachment = message.attachments[0]
    assert (attachment.filename, attachment.mimetype) == ("posts.json", "application/json")
    assert "1,200 posts" in message.body
    assert message.alternatives[0].mimetype == "text/html"
    assert "1,200 posts" in message.alternatives[0].content


def test_mail_has_message_id_and_auto_submitted(task):
    message = run_and_get_mail(task)
    assert message.extra_headers["Message-ID"] == f"<{task.mails.get().pk}@testserver>"
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_mail_has_download_link_and_checksum(task):
    message = run_and_get_mail(task)
    task.refresh_from_db()
    assert f"http://testserver/exports/{task.pk}/" in message.body
    assert task.archive_sha256 in message.body


def test_mail_has_expiry_in_owners_time_zone(alice, task):
    alice.time_zone = "Asia/Shanghai"
    alice.save()
    message = run_and_get_mail(task)
    task.refresh_from_db()
    day = date_format(
        task.archive_expires_at.astimezone(ZoneInfo("Asia/Shanghai")), "DATETIME_FORMAT"
    )
    assert f"until {day} CST:" in message.body
    assert f"until {day} CST:" in message.alternatives[0].content


def test_mail_of_empty_archive_says_so(task):
    message = run_and_get_mail(task)
    assert "not written any yet" in message.body
    assert message.attachments


def test_large_archive_is_linked_instead_of_attached(alice, task, create_posts, settings):
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES + 100
    create_posts(alice, 10)
    message = run_and_get_mail(task)
    assert message.attachments == []
    assert "too large for an e-mail" in message.body
    assert f"http://testserver/exports/{task.pk}/" in message.body


@pytest.mark.parametrize("size", [0, 1, 57, 58, 1_000_000, 7_000_001])
def test_attachment_limit_counts_encoded_size(size, settings):
    from email.message import EmailMessage

    message = EmailMessage()
    message.add_attachment(
        b"x" * size, maintype="application", subtype="json", filename="posts.json"
    )
    encoded = len(message.as_bytes().replace(b"\n", b"\r\n"))
    settings.EXPORT_MAIL_LIMIT = encoded - 1000
    assert not delivery.is_attachable(size)
    settings.EXPORT_MAIL_LIMIT = encoded + delivery.MESSAGE_OVERHEAD_BYTES
    assert delivery.is_attachable(size)


def test_failure_mail_explains_without_traceback(task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "Traceback: secret things")
    delivery.compose_for_owner(task.pending_mail).send()
    message = mail.outbox[-1]
    assert message.subject == "[Microblog] Your blog posts could not be exported"
    assert "longer than an export may take" in message.body
    assert "secret" not in message.body
    assert message.attachments == []


def test_text_body_is_not_html_escaped(make_user):
    owner = make_user("a.b-c_d")
    task = ExportTask.objects.request(owner)[0]
    message = run_and_get_mail(task)
    assert "Hello a.b-c_d," in message.body
    assert "&quot;" not in message.body


def test_mail_goes_to_currently_confirmed_address(alice, task):
    task.claim()
    task.finish(**build_result("posts/none.json", 0, 10**9, "0" * 64))
    alice.emailaddress_set.update(email="new@microblog.example")
    delivery.compose_for_owner(task.pending_mail).send()
    assert mail.outbox[-1].to == ["new@microblog.example"]


def test_unconfirmed_address_is_undeliverable(alice, task):
    alice.emailaddress_set.update(verified=False)
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    with pytest.raises(Undeliverable):
        delivery.compose_for_owner(pending).send()
