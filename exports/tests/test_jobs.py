import json
import logging
import pickle
import smtplib
import threading
import zlib
from pathlib import Path

import django_rq
import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend as LocMemBackend
from django.db import OperationalError, connection, connections
from django.urls import clear_url_caches, get_resolver
from rq import SimpleWorker
from rq.serializers import DefaultSerializer
from rq.timeouts import JobTimeoutException

from conftest import wait_until
from exports.archive import build as archive
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.models.task import archive_storage
from exports.tests.conftest import build_result
from tasks import heartbeat, jobs
from tasks.heartbeat import Heartbeat
from tasks.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


class InProcess(SimpleWorker, Worker):
    """Worker that runs jobs in its own process, without a fork."""


def run(task):
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()


def test_job_builds_archive_and_sends_mail(alice, task, create_posts):
    create_posts(alice, 3)
    run(task)
    assert (task.status, task.rows_done) == (Status.SUCCESSFUL, 3)
    assert task.mails.get().status == MailStatus.SENT
    assert [kind for kind, in task.events.values_list("kind")] == [
        Event.REQUESTED, Event.CLAIMED, Event.FINISHED, Event.MAILED,
    ]  # fmt: skip
    content = mail.outbox[0].attachments[0].content
    with task.archive.open() as file:
        assert json.loads(content) == json.load(file)
    assert json.loads(content)["count"] == 3


def test_second_run_of_job_changes_nothing(task):
    run(task)
    run(task)
    assert len(mail.outbox) == 1


def test_job_of_older_attempt_does_nothing(task):
    task.claim()
    task.crash()
    jobs.run_task("exports.ExportTask", str(task.pk), 1)
    task.refresh_from_db()
    assert task.status == Status.READY
    assert mail.outbox == []


def test_job_without_row_does_nothing(db):
    jobs.run_task("exports.ExportTask", "00000000-0000-0000-0000-000000000000", 1)
    jobs.send_mail("exports.ExportMail", "00000000-0000-0000-0000-000000000000", 0)


def test_unexpected_error_fails_task_and_is_reraised(task, break_build):
    break_build(ValueError("no such luck"))
    with pytest.raises(ValueError, match="no such luck"):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.ERROR)
    assert "no such luck" in task.traceback
    assert task.pending_mail.purpose == Purpose.FAILURE
    assert task.pending_mail.job_id in django_rq.get_queue("default").get_job_ids()


def test_job_timeout_fails_with_its_own_code(task, break_build):
    break_build(JobTimeoutException("too long"))
    with pytest.raises(JobTimeoutException):
        run(task)
    task.refresh_from_db()
    assert task.error_code == ErrorCode.TIMEOUT


@pytest.mark.parametrize("error", [OperationalError("gone"), OSError("disk full")])
def test_transient_error_starts_new_attempt(task, break_build, error):
    break_build(error)
    with pytest.raises(type(error)):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert str(error) in task.traceback


def test_new_request_is_possible_after_failure(alice, task, break_build):
    break_build(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011  the error is the test's own
        run(task)
    assert ExportTask.objects.request(alice)[1]


def test_build_with_lost_lease_leaves_no_file(task, create_posts, alice, monkeypatch):
    create_posts(alice, 3)
    store = archive.store

    def store_and_lose_lease(task, part):
        name = store(task, part)
        ExportTask.objects.get(pk=task.pk).crash()
        return name

    monkeypatch.setattr(archive, "store", store_and_lose_lease)
    run(task)
    assert task.status == Status.READY
    assert mail.outbox == []
    assert not archive_storage().exists(f"posts/{task.pk}-1.json")


def test_failed_mail_is_retried_without_rebuilding(task, monkeypatch):
    def refuse(self, messages):
        raise smtplib.SMTPServerDisconnected("closed")

    with monkeypatch.context() as patched:
        patched.setattr(LocMemBackend, "send_messages", refuse)
        run(task)
    pending = task.mails.get()
    assert task.status == Status.SUCCESSFUL
    assert (pending.status, pending.tries) == (MailStatus.PENDING, 1)
    assert "closed" in pending.error
    jobs.send_mail("exports.ExportMail", str(pending.pk), pending.tries)
    pending.refresh_from_db()
    assert (pending.status, pending.tries, pending.error) == (MailStatus.SENT, 2, "")
    assert len(mail.outbox) == 1


def test_mail_without_address_is_given_up(alice, task):
    alice.emailaddress_set.all().delete()
    run(task)
    assert task.mails.get().status == MailStatus.GAVE_UP
    assert task.is_downloadable


def test_killed_build_is_enqueued_at_once(task):
    job = django_rq.get_queue("default").enqueue(
        jobs.run_task, "exports.ExportTask", str(task.pk), 1, job_id=task.job_id
    )
    task.claim()
    jobs.work_horse_killed(job.func_name, list(job.args))
    task.refresh_from_db()
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert django_rq.get_queue("default").get_job_ids()[0] == task.job_id


def test_killed_mail_job_is_enqueued_at_once(task):
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.enqueue_mail(pending)
    job = django_rq.get_queue("default").fetch_job(pending.job_id)
    pending.claim()
    jobs.work_horse_killed(job.func_name, list(job.args))
    pending.refresh_from_db()
    assert (pending.status, pending.tries) == (MailStatus.PENDING, 1)
    assert pending.job_id in django_rq.get_queue("default").get_job_ids()


def test_mail_claimed_by_other_worker_is_kept(task):
    pending = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.enqueue_mail(pending)
    job = django_rq.get_queue("default").fetch_job(pending.job_id)
    for _ in range(2):
        pending.claim()
        pending.retry_now("killed")
    pending.claim()
    jobs.work_horse_killed(job.func_name, list(job.args))
    pending.refresh_from_db()
    assert pending.status == MailStatus.SENDING


def test_mail_is_retried_if_build_job_died_mailing(task):
    job = django_rq.get_queue("default").enqueue(
        jobs.run_task, "exports.ExportTask", str(task.pk), 1, job_id=task.job_id
    )
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    task.pending_mail.claim()
    jobs.work_horse_killed(job.func_name, list(job.args))
    assert task.mails.get().status == MailStatus.PENDING


def test_third_killed_build_is_logged_as_error(task, caplog):
    for _ in range(3):
        job = django_rq.get_queue("default").enqueue(
            jobs.run_task, "exports.ExportTask", str(task.pk), task.attempt
        )
        task.claim()
        jobs.work_horse_killed(job.func_name, list(job.args))
        task.refresh_from_db()
    assert task.status == Status.FAILED
    assert [record.levelname for record in caplog.records if record.name == "tasks.jobs"][
        -1
    ] == "ERROR"


def test_read_error_is_recorded_despite_concurrent_writes(task, alice, create_posts, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    create_posts(alice, 50)

    def report(heartbeat, rows_done):
        if rows_done:
            writer = threading.Thread(
                target=lambda: (alice.posts.create(body="meanwhile"), connections.close_all())
            )
            writer.start()
            writer.join()
            raise ValueError("in the midst")

    monkeypatch.setattr(Heartbeat, "report", report)
    with pytest.raises(ValueError, match="in the midst"):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.ERROR)


def test_job_meta_has_final_progress(task, alice, create_posts, settings, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.02)
    settings.EXPORT_MAX_RATE = 20
    create_posts(alice, 5)
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")

    def wait(heartbeat, seconds):
        wait_until(lambda: queue.fetch_job(task.job_id).get_meta())

    monkeypatch.setattr(Heartbeat, "wait", wait)
    InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    assert queue.fetch_job(task.job_id).get_meta() == {"progress": {"done": 5, "total": 5}}


def test_enqueue_without_broker_is_only_logged(task, settings, monkeypatch, caplog):
    from redis import Redis

    monkeypatch.setattr(
        "django_rq.queues.get_connection",
        lambda name: Redis.from_url("unix:///nowhere.sock?socket_timeout=1"),
    )
    assert not jobs.enqueue_task(task)
    assert "sweeper" in caplog.text


def test_failure_reaches_rq_and_admins(task, break_build, settings, caplog):
    settings.ADMINS = [("", "admin@microblog.example")]
    break_build(ValueError("no such luck"))
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")
    with caplog.at_level(logging.ERROR, "rq.worker"):
        InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    assert queue.failed_job_registry.get_job_ids() == [task.job_id]
    subjects = {message.to[0]: message.subject for message in mail.outbox}
    assert "admin@microblog.example" in subjects
    assert (
        subjects["alice@microblog.example"] == "[Microblog] Your blog posts could not be exported"
    )


class Bomb:
    """Pickle that an attacker could have put into the broker."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_worker_never_loads_pickled_job(task, tmp_path):
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")
    pickled = pickle.dumps(Bomb(tmp_path / "exploded"))
    queue.connection.hset(f"rq:job:{task.job_id}", "data", zlib.compress(pickled))
    worker = InProcess([queue], connection=queue.connection, serializer=DefaultSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    assert not (tmp_path / "exploded").exists()
    assert queue.get_job_ids() == []


def test_preload_fills_caches_and_closes_connections(task):
    clear_url_caches()
    jobs.preload()
    assert vars(get_resolver())["_populated"]
    assert connection.connection is None
    assert mail.outbox == []


def test_preload_survives_database_outage(monkeypatch):
    def refuse(*args):
        raise OperationalError("away")

    monkeypatch.setattr(ExportTask.objects, "select_related", refuse)
    jobs.preload()
