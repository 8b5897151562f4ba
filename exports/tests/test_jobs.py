import json
import logging
import smtplib
import threading

import django_rq
import pytest
from django.core import mail
from django.db import OperationalError, connection, connections
from django.urls import clear_url_caches, get_resolver
from rq import SimpleWorker
from rq.timeouts import JobTimeoutException

from conftest import wait_until
from exports import delivery, heartbeat, jobs
from exports.archive import build as archive
from exports.heartbeat import Heartbeat
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.models.task import archive_storage
from exports.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


class InProcess(SimpleWorker, Worker):
    """Our worker without its fork."""


def run(task):
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()


def test_it_builds_finishes_and_mails(alice, task, create_posts):
    create_posts(alice, 3)
    run(task)
    assert (task.status, task.rows_done) == (Status.SUCCESSFUL, 3)
    assert task.mails.get().status == MailStatus.SENT
    assert [kind for kind, in task.events.values_list("kind")] == [
        Event.REQUESTED, Event.CLAIMED, Event.BUILT, Event.MAILED,
    ]  # fmt: skip
    content = mail.outbox[0].attachments[0].content
    with task.archive.open() as file:
        assert json.loads(content) == json.load(file)
    assert json.loads(content)["count"] == 3


def test_the_second_run_of_a_job_is_harmless(task):
    run(task)
    run(task)
    assert len(mail.outbox) == 1


def test_a_job_of_an_older_attempt_does_nothing(task):
    task.claim()
    task.crash()
    jobs.run_export(str(task.pk), 1)
    task.refresh_from_db()
    assert task.status == Status.READY
    assert mail.outbox == []


def test_a_job_without_a_task_does_nothing(db):
    jobs.run_export("00000000-0000-0000-0000-000000000000", 1)
    jobs.deliver_mail("00000000-0000-0000-0000-000000000000")


def test_an_unexpected_error_fails_the_task_and_is_raised_again(task, break_build):
    break_build(ValueError("no such luck"))
    with pytest.raises(ValueError, match="no such luck"):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.ERROR)
    assert "no such luck" in task.traceback
    assert task.owed_mail.purpose == Purpose.FAILURE
    assert task.owed_mail.job_id in django_rq.get_queue("default").get_job_ids()


def test_running_out_of_time_is_told_as_such(task, break_build):
    break_build(JobTimeoutException("too long"))
    with pytest.raises(JobTimeoutException):
        run(task)
    task.refresh_from_db()
    assert task.error_code == ErrorCode.TIMEOUT


@pytest.mark.parametrize("error", [OperationalError("gone"), OSError("disk full")])
def test_a_passing_error_is_left_to_the_sweeper(task, break_build, error):
    break_build(error)
    with pytest.raises(type(error)):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.crashes) == (Status.RUNNING, 0)
    assert str(error) in task.traceback


def test_the_owner_may_ask_again_after_a_failure(alice, task, break_build):
    break_build(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011  the error is the test's own
        run(task)
    assert ExportTask.objects.request(alice.pk)[1]


def test_a_worker_that_was_overtaken_stops_and_leaves_no_file(
    task, create_posts, alice, monkeypatch
):
    create_posts(alice, 3)
    store = archive.store

    def overtaken(this, part):
        name = store(this, part)
        ExportTask.objects.get(pk=this.pk).crash()
        return name

    monkeypatch.setattr(archive, "store", overtaken)
    run(task)
    assert task.status == Status.READY
    assert mail.outbox == []
    assert not archive_storage().exists(f"posts/{task.pk}-1.json")


def test_a_mail_that_is_refused_is_tried_again_without_building_again(task, monkeypatch):
    def refuse(owed):
        raise smtplib.SMTPServerDisconnected("closed")

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "send", refuse)
        run(task)
    owed = task.mails.get()
    assert task.status == Status.SUCCESSFUL
    assert (owed.status, owed.tries) == (MailStatus.PENDING, 1)
    assert "closed" in owed.error
    jobs.deliver_mail(str(owed.pk))
    owed.refresh_from_db()
    assert (owed.status, owed.tries, owed.error) == (MailStatus.SENT, 2, "")
    assert len(mail.outbox) == 1


def test_a_mail_without_an_address_is_given_up(alice, task):
    alice.emailaddress_set.all().delete()
    run(task)
    assert task.mails.get().status == MailStatus.GAVE_UP
    assert task.is_downloadable


def test_a_killed_work_horse_hands_its_task_out_at_once(task):
    job = django_rq.get_queue("default").enqueue(
        jobs.run_export, str(task.pk), 1, job_id=task.job_id
    )
    task.claim()
    jobs.work_horse_died(job)
    task.refresh_from_db()
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert django_rq.get_queue("default").get_job_ids()[0] == task.job_id


def test_a_killed_sender_hands_its_mail_out_at_once(task):
    owed = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.enqueue_mail(owed)
    job = django_rq.get_queue("default").fetch_job(owed.job_id)
    owed.claim()
    jobs.work_horse_died(job)
    owed.refresh_from_db()
    assert (owed.status, owed.tries) == (MailStatus.PENDING, 1)
    assert owed.job_id in django_rq.get_queue("default").get_job_ids()


def test_a_mail_that_another_sender_has_is_left_to_it(task):
    owed = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.enqueue_mail(owed)
    job = django_rq.get_queue("default").fetch_job(owed.job_id)
    for _ in range(2):
        owed.claim()
        owed.interrupt("killed")
    owed.claim()
    jobs.work_horse_died(job)
    owed.refresh_from_db()
    assert owed.status == MailStatus.SENDING


def test_a_build_that_died_while_mailing_has_its_mail_sent_again(task):
    job = django_rq.get_queue("default").enqueue(
        jobs.run_export, str(task.pk), 1, job_id=task.job_id
    )
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    task.owed_mail.claim()
    jobs.work_horse_died(job)
    assert task.mails.get().status == MailStatus.PENDING


def test_the_third_death_of_a_work_horse_mails_admins(task, caplog):
    for _ in range(3):
        job = django_rq.get_queue("default").enqueue(jobs.run_export, str(task.pk), task.attempt)
        task.claim()
        jobs.work_horse_died(job)
        task.refresh_from_db()
    assert task.status == Status.FAILED
    assert [record.levelname for record in caplog.records if record.name == "exports.jobs"][
        -1
    ] == "ERROR"


def test_an_error_in_the_midst_of_reading_is_recorded_although_others_write(
    task, alice, create_posts, monkeypatch
):
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


def test_the_dashboard_is_told_how_it_ended(task, alice, create_posts, settings, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.02)
    settings.EXPORT_MAX_RATE = 20
    create_posts(alice, 5)
    jobs.enqueue_export(task)
    queue = django_rq.get_queue("default")

    def wait(heartbeat, seconds):
        wait_until(lambda: queue.fetch_job(task.job_id).get_meta())

    monkeypatch.setattr(Heartbeat, "wait", wait)
    InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    assert queue.fetch_job(task.job_id).get_meta() == {"progress": {"done": 5, "total": 5}}


def test_a_broker_that_is_away_is_logged_and_nothing_else(task, settings, monkeypatch, caplog):
    from redis import Redis

    monkeypatch.setattr(
        "django_rq.queues.get_connection",
        lambda name: Redis.from_url("unix:///nowhere.sock?socket_timeout=1"),
    )
    assert not jobs.enqueue_export(task)
    assert "sweeper" in caplog.text


def test_rq_sees_the_failure_and_admins_are_mailed(task, break_build, settings, caplog):
    """In the worker's own process, on the real queue."""
    settings.ADMINS = [("", "admin@microblog.example")]
    break_build(ValueError("no such luck"))
    jobs.enqueue_export(task)
    queue = django_rq.get_queue("default")
    with caplog.at_level(logging.ERROR, "rq.worker"):
        InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    assert queue.failed_job_registry.get_job_ids() == [task.job_id]
    subjects = {message.to[0]: message.subject for message in mail.outbox}
    assert "admin@microblog.example" in subjects
    assert (
        subjects["alice@microblog.example"] == "[Microblog] Your blog posts could not be exported"
    )


def test_what_work_horses_need_is_loaded_before_and_no_connection_with_it(task):
    clear_url_caches()
    jobs.warm_up()
    assert vars(get_resolver())["_populated"]
    assert connection.connection is None
    assert mail.outbox == []


def test_a_worker_begins_although_the_database_is_away(monkeypatch):
    def refuse(*args):
        raise OperationalError("away")

    monkeypatch.setattr(ExportTask.objects, "select_related", refuse)
    jobs.warm_up()
