from datetime import timedelta

import django_rq
import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from django.utils.translation import get_language
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.job import Job

from blog.accounts.adapter import AccountAdapter
from blog.models import AccountMail
from tasks import jobs
from tasks.models import MailStatus

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def pending_mail(alice):
    return AccountMail.objects.create(
        user=alice, to=alice.email, subject="Hello", text="Text", html="<p>Text</p>"
    )


def send(pending_mail):
    jobs.send_mail("blog.AccountMail", str(pending_mail.pk), pending_mail.tries)


def test_mail_is_sent_once_and_emptied(pending_mail):
    send(pending_mail)
    send(pending_mail)
    [message] = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert message.to == ["alice@microblog.example"]
    assert message.extra_headers == {
        "Message-ID": f"<{pending_mail.pk}@testserver>",
        "Auto-Submitted": "auto-generated",
    }
    assert message.alternatives[0][0] == "<p>Text</p>"
    row = AccountMail.objects.get()
    assert (row.status, row.subject, row.text, row.html) == (MailStatus.SENT, "", "", "")


def test_job_holds_only_mail_id(client, alice, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": alice.email})
    queue = django_rq.get_queue("default")
    [job] = Job.fetch_many(queue.get_job_ids(), queue.connection, serializer=queue.serializer)
    assert job
    assert job.func_name == "tasks.jobs.send_mail"
    assert job.args == ["blog.AccountMail", str(AccountMail.objects.get().pk), 0]
    assert "alice" not in str(job.description)
    assert mail.outbox == []


def test_mail_is_enqueued_ahead_of_other_jobs(pending_mail):
    queue = django_rq.get_queue("default")
    queue.enqueue("tasks.jobs.send_mail", "other", 0, job_id="other")
    jobs.enqueue_mail(pending_mail)
    assert queue.get_job_ids() == [pending_mail.job_id, "other"]


def test_mail_is_sent_immediately_without_broker(pending_mail, monkeypatch):
    def unreachable(name):
        raise RedisConnectionError("unreachable")

    monkeypatch.setattr(django_rq, "get_queue", unreachable)
    jobs.enqueue_or_send(pending_mail)
    assert len(mail.outbox) == 1


def test_failed_mail_is_retried_with_backoff(pending_mail, monkeypatch, settings):
    def fail(*args):
        raise OSError("no mail server")

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
    delays = []
    for _ in range(3):
        send(pending_mail)
        pending_mail.refresh_from_db()
        tick = timedelta(seconds=settings.EXPORT_TICK_SECONDS)
        delays.append(round((pending_mail.next_try_at - timezone.now()) / tick))
    assert delays == [2, 4, 8]
    assert pending_mail.tries == 3


def test_unsent_mail_becomes_due(pending_mail):
    assert pending_mail.defer()
    assert not AccountMail.objects.due().exists()
    AccountMail.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert AccountMail.objects.due().get() == pending_mail


def test_account_deletion_deletes_pending_mail(pending_mail, alice):
    alice.delete()
    send(pending_mail)
    assert mail.outbox == []


@pytest.mark.parametrize(("user_language", "expected"), [("zh-hans", "zh-hans"), ("", "es")])
def test_mail_uses_language_of_user_or_browser(client, alice, monkeypatch, user_language, expected):
    compose = AccountAdapter.compose
    languages = []

    def record_language(*args):
        languages.append(get_language())
        return compose(*args)

    monkeypatch.setattr(AccountAdapter, "compose", record_language)
    alice.language = user_language
    alice.save()
    client.post(
        "/accounts/password/reset/", {"email": alice.email}, headers={"accept-language": "es"}
    )
    assert languages == [expected]
