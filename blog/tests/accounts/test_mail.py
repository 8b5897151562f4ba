from datetime import timedelta

import django_rq
import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from django.utils.translation import get_language
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.job import Job

from blog.accounts import jobs
from blog.accounts.adapter import AccountAdapter
from blog.models import MAIL_LEASE, AccountMail

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def owed(alice):
    return AccountMail.objects.create(
        user=alice, to=alice.email, subject="Hello", text="words", html="<p>words</p>"
    )


def run(owed):
    jobs.send_account_mail(str(owed.pk), owed.tries)


def test_it_is_sent_once_and_forgotten(owed):
    run(owed)
    run(owed)
    [message] = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert message.to == ["alice@microblog.example"]
    assert message.extra_headers == {
        "Message-ID": f"<{owed.pk}@testserver>",
        "Auto-Submitted": "auto-generated",
    }
    assert message.alternatives[0][0] == "<p>words</p>"
    assert not AccountMail.objects.exists()


def test_the_queue_knows_its_number_only(client, alice, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": alice.email})
    queue = django_rq.get_queue("default")
    [job] = Job.fetch_many(queue.get_job_ids(), queue.connection, serializer=queue.serializer)
    assert job
    assert job.func_name == "blog.accounts.jobs.send_account_mail"
    assert job.args == [str(AccountMail.objects.get().pk), 0]
    assert "alice" not in str(job.description)
    assert mail.outbox == []


def test_it_goes_before_what_waits(owed):
    queue = django_rq.get_queue("default")
    queue.enqueue("blog.accounts.jobs.send_account_mail", "other", 0, job_id="other")
    jobs.enqueue_mail(owed)
    assert queue.get_job_ids() == [owed.job_id, "other"]


def test_without_a_queue_it_is_sent_at_once(owed, monkeypatch):
    def away(name):
        raise RedisConnectionError("away")

    monkeypatch.setattr(django_rq, "get_queue", away)
    jobs.enqueue_or_send(owed)
    assert len(mail.outbox) == 1


def test_what_does_not_go_out_is_tried_again_with_growing_pauses(owed, monkeypatch):
    def refuse(*args):
        raise OSError("no mail server")

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
    pauses = []
    for _ in range(3):
        run(owed)
        owed.refresh_from_db()
        pauses.append(round((owed.next_try_at - timezone.now()) / MAIL_LEASE))
    assert pauses == [1, 2, 4]
    assert owed.tries == 3


def test_a_mail_that_nobody_sends_becomes_due(owed):
    assert not AccountMail.objects.due().exists()
    AccountMail.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert AccountMail.objects.due().get() == owed


def test_it_goes_with_its_account(owed, alice):
    alice.delete()
    run(owed)
    assert mail.outbox == []


@pytest.mark.parametrize(("chosen", "spoken"), [("zh-hans", "zh-hans"), ("", "es")])
def test_it_speaks_the_language_of_the_person_or_else_of_the_browser(
    client, alice, monkeypatch, chosen, spoken
):
    compose = AccountAdapter.compose
    heard = []

    def listen(*args):
        heard.append(get_language())
        return compose(*args)

    monkeypatch.setattr(AccountAdapter, "compose", listen)
    alice.language = chosen
    alice.save()
    client.post(
        "/accounts/password/reset/", {"email": alice.email}, headers={"accept-language": "es"}
    )
    assert heard == [spoken]
