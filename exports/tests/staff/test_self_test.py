"""The self-test's verdicts. tests/test_integration_self_test.py breaks each link for real."""

from datetime import timedelta

import django_rq
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from redis.exceptions import ConnectionError as Away
from rq import SimpleWorker

from exports.models import SelfTest
from exports.models.self_test import STEPS
from exports.staff import self_test
from microblog import request_ids

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/admin/selftest/"
LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def begun():
    return self_test.begin("ops@microblog.example")


def change(test, **fields):
    SelfTest.objects.filter(pk=test.pk).update(**fields)
    return self_test.judge(test)


def work():
    queue = django_rq.get_queue("default")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)


@pytest.mark.django_db(transaction=True)
def test_a_whole_chain_holds(begun, mailoutbox):
    assert self_test.judge(begun).passed is None
    work()
    assert self_test.judge(begun).passed
    assert begun.verdict.startswith("All links hold: database, queue, worker, progress, mail")
    assert begun.steps_done == STEPS
    [mail] = mailoutbox
    assert mail.to == ["ops@microblog.example"]


@pytest.mark.django_db(transaction=True)
def test_its_mail_has_the_id_of_the_request_that_began_it(begun, mailoutbox):
    request_ids.activate("a-request")
    self_test.run(str(begun.pk))
    assert mailoutbox[0].extra_headers["X-Request-ID"] == "a-request"


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_refuses_is_quoted(begun, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    work()
    assert self_test.judge(begun).passed is False
    assert begun.verdict.startswith("Mail: the mail server did not take it (ConnectionRefusedError")


def test_it_runs_once(begun, mailoutbox):
    change(begun, started_at=timezone.now())
    self_test.run(str(begun.pk))
    assert not mailoutbox


def test_without_the_broker(monkeypatch):
    def away(*args, **kwargs):
        raise Away("nobody at home")

    monkeypatch.setattr("django_rq.get_queue", away)
    test = self_test.begin("ops@microblog.example")
    assert test.verdict == "Broker: Redis or Valkey does not answer (nobody at home)."
    assert SelfTest.objects.get().verdict == test.verdict


def test_hope_lasts_ten_seconds_and_then_there_is_no_worker(begun):
    assert change(begun, created_at=timezone.now() - timedelta(seconds=9)).passed is None
    change(begun, created_at=timezone.now() - timedelta(seconds=11))
    assert begun.verdict.startswith("Worker: none is running.")


def test_busy_workers_are_waited_for(begun, worker):
    assert change(begun, created_at=timezone.now() - timedelta(seconds=50)).passed is None
    change(begun, created_at=timezone.now() - timedelta(seconds=70))
    assert begun.verdict.startswith("Worker: all are busy")


def test_a_lost_job(begun, worker, empty_broker):
    empty_broker.delete("rq:queue:default")
    change(begun, created_at=timezone.now() - LONG_AGO)
    assert begun.verdict == "Queue: the job was lost before a worker took it."


def test_progress_that_stands_still(begun):
    change(begun, started_at=timezone.now() - LONG_AGO, steps_done=7)
    assert begun.verdict == f"Progress: it stands still at 7 of {STEPS}."


def test_a_mail_server_that_never_answers(begun):
    change(begun, started_at=timezone.now() - LONG_AGO, steps_done=STEPS)
    assert begun.verdict == "Mail: the worker is still waiting for the mail server."


def test_the_button(client, operator):
    client.force_login(operator)
    assert "The e-mail goes to operators@microblog.example." in client.get(PAGE).content.decode()
    address = client.post(PAGE).url
    assert "Waiting for a worker" in client.get(address).content.decode()
    change(SelfTest.objects.get(), mailed_at=timezone.now())
    assert "All links hold" in client.get(address).content.decode()
    assert "All links hold" in client.get(PAGE).content.decode()
    assert SelfTest.objects.get().actor == operator


def test_who_has_no_address_is_told(client, operator):
    operator.email = ""
    operator.save()
    operator.confirm_email()
    client.force_login(operator)
    assert "no confirmed e-mail address" in client.post(PAGE).content.decode()
    assert not SelfTest.objects.exists()


def test_the_button_is_not_for_support(client, support):
    client.force_login(support)
    assert client.post(PAGE).status_code == 403


def test_an_unknown_test_is_not_found(client, operator):
    client.force_login(operator)
    assert client.get(f"{PAGE}00000000-0000-4000-8000-000000000000/").status_code == 404


def test_the_command_wants_to_know_whom_to_write_to():
    with pytest.raises(CommandError, match="Where should the mail go"):
        call_command("selftest")
