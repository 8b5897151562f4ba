from datetime import timedelta

import django_rq
import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from redis import Redis

from blog.models import AccountMail
from tasks import jobs
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now
from tasks.worker import Worker

from .models import SampleEvent, SampleMail, SampleTask

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def finish(task, seconds):
    """Finish a task after so many seconds of work."""
    assert task.claim()
    assert task.finish(rows_done=task.rows_total)
    started_at = F("finished_at") - timedelta(seconds=seconds)
    SampleTask.objects.filter(pk=task.pk).update(started_at=started_at)


def test_tasks_are_counted_by_kind_and_state(task, scrape):
    samples = scrape()
    assert samples["microblog_tasks", "sampletask", "ready"] == 1
    assert samples["microblog_tasks", "exporttask", "ready"] == 0
    task.claim()
    samples = scrape()
    assert samples["microblog_tasks", "sampletask", "ready"] == 0
    assert samples["microblog_tasks", "sampletask", "running"] == 1


def test_mails_are_counted_by_kind_and_state(task, scrape):
    SampleMail.objects.create(task=task)
    AccountMail.objects.create(to="alice@microblog.example")
    samples = scrape()
    assert samples["microblog_mails", "samplemail", "pending"] == 1
    assert samples["microblog_mails", "accountmail", "pending"] == 1
    assert samples["microblog_mails", "exportmail", "pending"] == 0


def test_oldest_waiting_rows_have_an_age(task, scrape):
    SampleTask.objects.update(queued_at=from_now(-300))
    SampleMail.objects.create(task=task)
    SampleMail.objects.update(created_at=from_now(-60))
    samples = scrape()
    assert 299 <= samples["microblog_queue_age_seconds", "sampletask"] < 320
    assert samples["microblog_queue_age_seconds", "exporttask"] == 0
    assert 59 <= samples["microblog_pending_mail_age_seconds", "samplemail"] < 80
    assert samples["microblog_pending_mail_age_seconds", "accountmail"] == 0


def test_sweeper_without_heartbeat_has_infinite_age(scrape):
    assert scrape()["microblog_sweeper_heartbeat_age_seconds",] == float("inf")
    SweeperHeartbeat.objects.record_heartbeat()
    assert scrape()["microblog_sweeper_heartbeat_age_seconds",] < 10


def test_finished_tasks_and_their_mails_are_measured(task, bob, scrape):
    finish(task, seconds=10)
    other, _ = SampleTask.objects.get_or_create_unfinished(bob, rows_total=600)
    finish(other, seconds=20)
    mail = task.pending_mail
    mail.claim()
    mail.mark_sent()
    SampleTask.objects.filter(pk=task.pk).update(
        finished_at=from_now(-30), started_at=from_now(-40)
    )
    samples = scrape()
    assert samples["microblog_rows_last_hour", "sampletask"] == 610
    assert samples["microblog_task_seconds", "sampletask", "0.5"] == pytest.approx(10, abs=0.1)
    assert samples["microblog_task_seconds", "sampletask", "1"] == pytest.approx(20, abs=0.1)
    assert samples["microblog_mail_delay_seconds", "sampletask", "1"] == pytest.approx(30, abs=5)
    assert ("microblog_task_seconds", "exporttask", "1") not in samples


def test_events_of_last_hour_are_counted(task, scrape):
    task.requeue()
    task.claim()
    task.crash()
    mail = SampleMail.objects.create(task=task)
    mail.claim()
    mail.retry_later("The server was away")
    samples = scrape()
    for event in ("requested", "requeued", "claimed", "rescued", "mail_failed"):
        assert samples["microblog_events_last_hour", event, "sampletask"] == 1, event
    assert samples["microblog_events_last_hour", "requested", "exporttask"] == 0


def test_older_events_are_not_counted(task, scrape):
    SampleEvent._default_manager.update(created_at=from_now(-3601))
    assert scrape()["microblog_events_last_hour", "requested", "sampletask"] == 0


def test_jobs_and_workers_are_counted(task, empty_broker, scrape):
    queue = django_rq.get_queue("default")
    jobs.enqueue_task(task)
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    samples = scrape()
    assert (samples["microblog_queue_jobs",], samples["microblog_workers",]) == (1, 1)
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert scrape()["microblog_workers",] == 0


def test_missing_broker_omits_its_metrics_only(task, scrape, monkeypatch):
    away = Redis.from_url("unix:///nowhere.sock")
    monkeypatch.setattr("django_rq.queues.get_connection", lambda name: away)
    samples = scrape()
    assert (samples["microblog_broker_up",], samples["microblog_database_up",]) == (0, 1)
    assert ("microblog_workers",) not in samples
    assert samples["microblog_tasks", "sampletask", "ready"] == 1


def test_scrape_query_count_is_constant(task, bob, scrape):
    with CaptureQueriesContext(connection) as before:
        scrape()
    finish(task, seconds=1)
    SampleTask.objects.get_or_create_unfinished(bob)
    with CaptureQueriesContext(connection) as after:
        scrape()
    assert len(after) == len(before) > 0
