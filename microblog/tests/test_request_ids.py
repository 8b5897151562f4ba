import json
import logging

import django_rq
import pytest
from django.core import mail
from django.test import Client
from model_bakery import baker

from blog.models import AccountMail, Post
from conftest import wait_until
from exports.models import ExportTask
from microblog import request_ids
from microblog.logs import JsonFormatter, RequestIdFilter
from tasks import broker, heartbeat, jobs, sweeper
from tasks.worker import Worker

pytestmark = pytest.mark.sqlite


def response_id(**headers):
    return Client().get("/healthz", headers=headers).headers["X-Request-ID"]


def test_each_response_has_new_id():
    first, second = response_id(), response_id()
    assert len(first) == len(second) == 32
    assert first != second


def test_id_from_proxy_is_used(settings):
    settings.BEHIND_PROXY = True
    assert response_id(**{"X-Request-ID": "from.the-proxy_1"}) == "from.the-proxy_1"


def test_id_from_visitor_is_ignored(settings):
    settings.BEHIND_PROXY = False
    assert response_id(**{"X-Request-ID": "from-a-visitor"}) != "from-a-visitor"


@pytest.mark.parametrize("invalid_id", ["", "a b", "a\tb", "ä", "x" * 65, "<script>", 'a"b', "a,b"])
def test_invalid_id_is_replaced(invalid_id, settings):
    settings.BEHIND_PROXY = True
    assert len(response_id(**{"X-Request-ID": invalid_id})) == 32


@pytest.mark.django_db(transaction=True)
def test_job_and_mail_carry_request_id(client, alice, empty_broker):
    client.force_login(alice)
    response = client.post("/exports/")
    task = ExportTask.objects.get()
    job = django_rq.get_queue("default").fetch_job(task.job_id)
    assert job.meta["request_id"] == response.headers["X-Request-ID"]

    request_ids.activate(job.meta["request_id"])
    jobs.run_task(*job.args)
    assert mail.outbox[-1].extra_headers["X-Request-ID"] == response.headers["X-Request-ID"]


@pytest.mark.django_db
def test_account_mail_carries_request_id(alice, empty_broker):
    request_ids.activate("the-request")
    mail_row = AccountMail.objects.create(
        user=alice, to=alice.email, subject="Hello", text="Hello", html="Hello"
    )
    jobs.enqueue_mail(mail_row)
    assert django_rq.get_queue("default").fetch_job(mail_row.job_id).meta == {
        "request_id": "the-request"
    }
    jobs.send_mail("blog.AccountMail", str(mail_row.pk), 0)
    assert mail.outbox[-1].extra_headers["X-Request-ID"] == "the-request"


def test_worker_activates_request_id_during_job(monkeypatch, empty_broker):
    queue = django_rq.get_queue("default")
    seen = []
    monkeypatch.setattr(
        "rq.Worker.execute_job", lambda self, job, queue: seen.append(request_ids.current())
    )
    worker = Worker([queue], connection=queue.connection)
    worker.execute_job(queue.enqueue("math.sqrt", 4, meta={"request_id": "the-request"}), queue)
    assert seen == ["the-request"]
    assert request_ids.current() == ""


@pytest.mark.django_db
def test_each_sweep_has_new_id(monkeypatch):
    seen = []
    monkeypatch.setattr(sweeper, "rescue_tasks", lambda: seen.append(request_ids.current()))
    monkeypatch.setattr(sweeper.rescue_tasks, "__name__", "rescue_tasks")
    sweeper.sweep()
    sweeper.sweep()
    assert len(set(seen)) == 2
    assert all(seen)


@pytest.mark.django_db(transaction=True)
def test_progress_keeps_request_id_in_job_meta(task, alice, settings, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.02)
    settings.EXPORT_MAX_RATE = 20
    baker.make(Post, author=alice, body="x", _quantity=5)
    request_ids.activate("the-request")
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")
    job = queue.fetch_job(task.job_id)
    monkeypatch.setattr(broker, "current_job_id", lambda: job.id)

    def wait(heartbeat, seconds):
        wait_until(lambda: "progress" in queue.fetch_job(task.job_id).meta)

    monkeypatch.setattr(heartbeat.Heartbeat, "wait", wait)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    meta = queue.fetch_job(task.job_id).meta
    assert meta["request_id"] == "the-request"
    assert "progress" in meta


def test_log_line_has_request_id():
    record = logging.LogRecord("exports", logging.INFO, "x.py", 1, "Logged", (), None)
    request_ids.activate("the-request")
    RequestIdFilter().filter(record)
    assert json.loads(JsonFormatter().format(record))["request_id"] == "the-request"


@pytest.fixture
def task(alice):
    return ExportTask.objects.request(alice)[0]
