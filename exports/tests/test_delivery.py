from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils.formats import date_format

from blog.models import User
from exports import delivery
from exports.archive import build as archive
from exports.models import ErrorCode, ExportMail, ExportTask, MailStatus, Purpose
from tasks import jobs
from tasks.models import Undeliverable
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def run_and_get_mail(task):
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    return mail.outbox[-1]


def test_mail_has_archive_attached(alice, task, create_posts):
    create_posts(alice, 1200)
    message = run_and_get_mail(task)
    assert message.subject == "[Microblog] Your posts archive"
    assert message.to == ["alice@microblog.example"]
    attachment = message.attachments[0]
    assert (attachment.filename, attachment.mimetype) == ("posts.json", "application/json")
    assert "1,200 of your posts" in message.body
    assert message.alternatives[0].mimetype == "text/html"
    assert "1,200 of your posts" in message.alternatives[0].content


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


@pytest.mark.parametrize("name", ["Mars/Olympus_Mons", "Europe/Kyiw", "", "../etc/passwd", "UTC"])
def test_mail_is_sent_in_utc_if_the_time_zone_is_unknown(alice, task, name):
    alice.time_zone = name
    alice.save()
    message = run_and_get_mail(task)
    assert task.mails.get().status == MailStatus.SENT
    assert " UTC:" in message.body
    assert " UTC:" in message.alternatives[0].content


def test_mail_of_empty_archive_says_so(task):
    message = run_and_get_mail(task)
    assert "written any yet" in message.body
    assert message.attachments


def test_large_archive_is_linked_instead_of_attached(alice, task, create_posts, settings):
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES + 100
    create_posts(alice, 10)
    message = run_and_get_mail(task)
    assert message.attachments == []
    assert "too large to email" in message.body
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
    assert message.subject == "[Microblog] Your posts couldn't be exported"
    assert "exceeded the time limit" in message.body
    assert "secret" not in message.body
    assert message.attachments == []


def test_text_body_is_not_html_escaped(make_user):
    owner = make_user("a.b-c_d")
    task = ExportTask.objects.request(owner)[0]
    message = run_and_get_mail(task)
    assert "Hello a.b-c_d," in message.body
    assert "&quot;" not in message.body


def test_mail_goes_to_currently_confirmed_address(alice, task):
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    alice.emailaddress_set.update(email="new@microblog.example")
    delivery.compose_for_owner(pending).send()
    assert mail.outbox[-1].to == ["new@microblog.example"]


def test_attachment_is_dropped_once_from_its_own_mail(finished_task, staff):
    first, second = finished_task.mails.get(), finished_task.resend(staff)
    assert second.drop_attachment()
    assert not second.drop_attachment()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_attachable, second.is_attachable) == (True, False)
    assert delivery.compose_for_owner(first).attachments
    message = delivery.compose_for_owner(second)
    assert message.attachments == []
    assert "too large to email" in message.body


@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize(
    ("loss", "error"),
    [
        ("file", "The file is gone."),
        ("expired", "The archive no longer exists."),
        ("removed", "The archive was deleted before the email was sent."),
    ],
)
def test_mail_about_missing_archive_is_given_up_at_once(
    finished_task, staff, settings, caplog, loss, error, is_linked
):
    if is_linked:
        settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES
    pending = finished_task.resend(staff)
    if loss == "file":
        archive.discard(finished_task.archive.name)
    elif loss == "expired":
        ExportTask.objects.update(archive_expires_at=from_now(-1))
    else:
        assert finished_task.expire(staff)
    jobs.send_mail("exports.ExportMail", str(pending.pk), pending.tries)
    pending.refresh_from_db()
    assert (pending.status, mail.outbox) == (MailStatus.GAVE_UP, [])
    assert pending.error == error
    # A file that is gone before its time is a fault.
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert bool(errors) == (loss == "file")


def test_unconfirmed_address_is_undeliverable(alice, task):
    alice.emailaddress_set.update(verified=False)
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    with pytest.raises(Undeliverable, match=r"^The account has no confirmed email address\.$"):
        delivery.compose_for_owner(pending).send()


def test_mail_to_closed_account_is_undeliverable(alice, task):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    with pytest.raises(Undeliverable, match=r"^The account is closed\.$"):
        delivery.compose_for_owner(pending).send()
