"""Verdicts of the self-test; tests/integration/test_self_test.py breaks real components."""

from datetime import timedelta

import django_rq
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import SimpleWorker

from microblog import request_ids
from staff import self_test
from staff.models import STEPS, SelfTest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/admin/selftest/"
LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def started_test():
    return self_test.start("ops@microblog.example")


def change(test, **fields):
    SelfTest.objects.filter(pk=test.pk).update(**fields)
    return self_test.update_verdict(test)


def run_worker():
    queue = django_rq.get_queue("default")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)


@pytest.mark.django_db(transaction=True)
def test_self_test_passes_when_everything_works(started_test, mailoutbox):
    assert self_test.update_verdict(started_test).passed is None
    run_worker()
    assert self_test.update_verdict(started_test).passed
    assert started_test.verdict.startswith(
        "All links hold: database, queue, worker, progress, mail"
    )
    assert started_test.steps_done == STEPS
    [mail] = mailoutbox
    assert mail.to == ["ops@microblog.example"]


@pytest.mark.django_db(transaction=True)
def test_self_test_mail_carries_request_id(started_test, mailoutbox):
    request_ids.activate("a-request")
    self_test.run(str(started_test.pk))
    assert mailoutbox[0].extra_headers["X-Request-ID"] == "a-request"


@pytest.mark.django_db(transaction=True)
def test_mail_server_error_is_quoted(started_test, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    run_worker()
    assert self_test.update_verdict(started_test).passed is False
    assert started_test.verdict.startswith(
        "Mail: the mail server did not take it (ConnectionRefusedError"
    )


def test_self_test_job_runs_once(started_test, mailoutbox):
    change(started_test, started_at=timezone.now())
    self_test.run(str(started_test.pk))
    assert not mailoutbox


def test_unreachable_broker_is_reported(monkeypatch):
    def fail(*args, **kwargs):
        raise RedisConnectionError("unreachable")

    monkeypatch.setattr("django_rq.get_queue", fail)
    test = self_test.start("ops@microblog.example")
    assert test.verdict == "Broker: Redis or Valkey does not answer (unreachable)."
    assert SelfTest.objects.get().verdict == test.verdict


def test_missing_worker_is_reported_after_ten_seconds(started_test):
    assert change(started_test, created_at=timezone.now() - timedelta(seconds=9)).passed is None
    change(started_test, created_at=timezone.now() - timedelta(seconds=11))
    assert started_test.verdict.startswith("Worker: none is running.")


def test_busy_workers_are_reported_after_a_minute(started_test, worker):
    assert change(started_test, created_at=timezone.now() - timedelta(seconds=50)).passed is None
    change(started_test, created_at=timezone.now() - timedelta(seconds=70))
    assert started_test.verdict.startswith("Worker: all are busy")


def test_lost_self_test_job_is_reported(started_test, worker, empty_broker):
    empty_broker.delete("rq:queue:default")
    change(started_test, created_at=timezone.now() - LONG_AGO)
    assert started_test.verdict == "Queue: the job was lost before a worker took it."


def test_stalled_progress_is_reported(started_test):
    change(started_test, started_at=timezone.now() - LONG_AGO, steps_done=7)
    assert started_test.verdict == f"Progress: it stands still at 7 of {STEPS}."


def test_hanging_mail_server_is_reported(started_test):
    change(started_test, started_at=timezone.now() - LONG_AGO, steps_done=STEPS)
    assert started_test.verdict == "Mail: the worker is still waiting for the mail server."


def test_self_test_button_starts_a_test(client, operator):
    client.force_login(operator)
    assert "The e-mail goes to operator@microblog.example." in client.get(PAGE).content.decode()
    address = client.post(PAGE).url
    assert "Waiting for a worker" in client.get(address).content.decode()
    change(SelfTest.objects.get(), mailed_at=timezone.now())
    assert "All links hold" in client.get(address).content.decode()
    assert "All links hold" in client.get(PAGE).content.decode()
    assert SelfTest.objects.get().actor == operator


def test_self_test_needs_a_confirmed_address(client, operator):
    operator.email = ""
    operator.save()
    operator.confirm_email()
    client.force_login(operator)
    assert "no confirmed e-mail address" in client.post(PAGE).content.decode()
    assert not SelfTest.objects.exists()


def test_support_cannot_start_self_test(client, support):
    client.force_login(support)
    assert client.post(PAGE).status_code == 403


def test_unknown_self_test_is_not_found(client, operator):
    client.force_login(operator)
    assert client.get(f"{PAGE}00000000-0000-4000-8000-000000000000/").status_code == 404


def test_selftest_command_requires_a_recipient():
    with pytest.raises(CommandError, match="No recipient"):
        call_command("selftest")
