from datetime import timedelta

import django_rq
import pytest
from django.core.files.base import ContentFile
from django.db.models import F
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from exports.models import Event, ExportEvent, ExportMail, ExportTask, Purpose
from exports.tests.conftest import build_result
from tasks import jobs
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now
from tasks.worker import Worker

TOKEN = "a-token-of-some-length"

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def token(settings):
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def scrape(client):
    """All samples: what they are called and their labels' values, in the order of the labels' names."""

    def scrape():
        response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200
        families = text_string_to_metric_families(response.content.decode())
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    return scrape


@pytest.fixture
def task(alice):
    return ExportTask.objects.request(alice)[0]


def test_without_a_token_there_are_none(client, settings):
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        response = client.get("/metrics", headers=headers)
        assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    "given", ["", TOKEN, f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Basic {TOKEN}", "Bearer ä"]
)
def test_another_token_gets_nothing(client, given):
    response = client.get("/metrics", headers={"Authorization": given})
    assert (response.status_code, response.content) == (401, b"")


def test_requests_are_counted_by_view_and_not_by_address(client, alice, scrape):
    def count(view, status):
        return scrape().get(("microblog_requests_total", "GET", status, view), 0)

    before = count("profile", "200"), count("profile", "404")
    client.force_login(alice)
    client.get("/@alice/")
    client.get("/@nobody/")
    client.get("/@no-one/")
    assert (count("profile", "200") - before[0], count("profile", "404") - before[1]) == (1, 2)
    assert ("microblog_request_seconds_count", "profile") in scrape()
    assert not [key for key in scrape() if "alice" in str(key)]


def test_odd_methods_are_one(client, scrape):
    client.generic("BREW", "/explore/")
    client.generic("STIR", "/explore/")
    methods = {key[1] for key in scrape() if key[0] == "microblog_requests_total"}
    assert methods <= {"GET", "HEAD", "POST", "other"}


def test_exports_are_counted_by_state(task, scrape):
    assert scrape()["microblog_exports", "ready"] == 1
    task.claim()
    seen = scrape()
    assert (seen["microblog_exports", "ready"], seen["microblog_exports", "running"]) == (0, 1)


def test_waiting_has_an_age(task, scrape):
    ExportTask.objects.update(queued_at=from_now(-300))
    ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    ExportMail.objects.update(created_at=from_now(-60))
    seen = scrape()
    assert 299 <= seen["microblog_queue_age_seconds",] < 320
    assert 59 <= seen["microblog_pending_mail_age_seconds",] < 80
    assert seen["microblog_mails", "pending"] == 1


def test_a_sweeper_that_never_was_is_silent_for_ever(scrape):
    assert scrape()["microblog_sweeper_heartbeat_age_seconds",] == float("inf")
    SweeperHeartbeat.objects.record_heartbeat()
    assert scrape()["microblog_sweeper_heartbeat_age_seconds",] < 10


def finish(task, seconds, rows, size):
    task.claim()
    task.archive.save("posts/x", ContentFile(b"x"), save=False)
    task.finish(**build_result(task.archive.name, rows, size, "0" * 64))
    ExportTask.objects.filter(pk=task.pk).update(
        started_at=F("finished_at") - timedelta(seconds=seconds)
    )


def test_builds_and_mails_are_measured(task, bob, scrape):
    finish(task, 10, 500, 7000)
    finish(ExportTask.objects.request(bob)[0], 20, 100, 1000)
    owed = task.pending_mail
    owed.claim()
    owed.mark_sent()
    ExportTask.objects.filter(pk=task.pk).update(
        finished_at=from_now(-30), started_at=from_now(-40)
    )
    seen = scrape()
    assert seen["microblog_rows_last_hour",] == 600
    assert seen["microblog_archive_bytes_last_hour",] == 8000
    assert seen["microblog_build_seconds", "0.5"] == pytest.approx(10, abs=0.1)
    assert seen["microblog_build_seconds", "1"] == pytest.approx(20, abs=0.1)
    assert seen["microblog_mail_delay_seconds", "1"] == pytest.approx(30, abs=5)
    assert seen["microblog_events_last_hour", "finished"] == 2
    assert seen["microblog_events_last_hour", "mailed"] == 1


def test_rescues_retries_and_refusals_are_counted(task, scrape):
    task.requeue()
    task.claim()
    task.crash()
    owed = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    owed.claim()
    owed.retry_later("The server was away")
    owed.mark_bounced("No such mailbox")
    seen = scrape()
    for event in ("requested", "requeued", "claimed", "rescued", "mail_failed", "bounced"):
        assert seen["microblog_events_last_hour", event] == 1, event


def test_what_is_older_than_an_hour_is_not_counted(task, scrape):
    ExportEvent.objects.update(created_at=from_now(-3601))
    assert scrape()["microblog_events_last_hour", Event.REQUESTED.lower()] == 0


def test_the_queue_and_its_workers_are_counted(task, empty_broker, scrape):
    queue = django_rq.get_queue("default")
    jobs.enqueue_task(task)
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    seen = scrape()
    assert (seen["microblog_queue_jobs",], seen["microblog_workers",]) == (1, 1)
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert scrape()["microblog_workers",] == 0


def test_a_broker_that_is_away_costs_its_own_metrics_only(task, scrape, monkeypatch):
    away = Redis.from_url("unix:///nowhere.sock")
    monkeypatch.setattr("django_rq.queues.get_connection", lambda name: away)
    seen = scrape()
    assert (seen["microblog_broker_up",], seen["microblog_database_up",]) == (0, 1)
    assert ("microblog_workers",) not in seen
    assert seen["microblog_exports", "ready"] == 1


def test_it_takes_a_fixed_number_of_queries(task, bob, scrape, django_assert_num_queries):
    with django_assert_num_queries(10):
        scrape()
    finish(task, 1, 1, 1)
    ExportTask.objects.request(bob)
    with django_assert_num_queries(10):
        scrape()
