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
    """Request the metrics and return values by tuples of the name and the labels' values."""

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


def test_metrics_without_configured_token_are_404(client, settings):
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        response = client.get("/metrics", headers=headers)
        assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    "given", ["", TOKEN, f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Basic {TOKEN}", "Bearer ä"]
)
def test_wrong_token_is_401(client, given):
    response = client.get("/metrics", headers={"Authorization": given})
    assert (response.status_code, response.content) == (401, b"")


def test_requests_are_counted_by_view(client, alice, scrape):
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


def test_unknown_methods_share_a_label(client, scrape):
    client.generic("BREW", "/explore/")
    client.generic("STIR", "/explore/")
    methods = {key[1] for key in scrape() if key[0] == "microblog_requests_total"}
    assert methods <= {"GET", "HEAD", "POST", "other"}


def test_exports_are_counted_by_status(task, scrape):
    assert scrape()["microblog_exports", "ready"] == 1
    task.claim()
    samples = scrape()
    assert (samples["microblog_exports", "ready"], samples["microblog_exports", "running"]) == (
        0,
        1,
    )


def test_age_of_oldest_waiting_rows_is_reported(task, scrape):
    ExportTask.objects.update(queued_at=from_now(-300))
    ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    ExportMail.objects.update(created_at=from_now(-60))
    samples = scrape()
    assert 299 <= samples["microblog_queue_age_seconds",] < 320
    assert 59 <= samples["microblog_pending_mail_age_seconds",] < 80
    assert samples["microblog_mails", "pending"] == 1


def test_missing_sweeper_has_infinite_heartbeat_age(scrape):
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


def test_durations_of_builds_and_mails_are_reported(task, bob, scrape):
    finish(task, 10, 500, 7000)
    finish(ExportTask.objects.request(bob)[0], 20, 100, 1000)
    owed = task.pending_mail
    owed.claim()
    owed.mark_sent()
    ExportTask.objects.filter(pk=task.pk).update(
        finished_at=from_now(-30), started_at=from_now(-40)
    )
    samples = scrape()
    assert samples["microblog_rows_last_hour",] == 600
    assert samples["microblog_archive_bytes_last_hour",] == 8000
    assert samples["microblog_build_seconds", "0.5"] == pytest.approx(10, abs=0.1)
    assert samples["microblog_build_seconds", "1"] == pytest.approx(20, abs=0.1)
    assert samples["microblog_mail_delay_seconds", "1"] == pytest.approx(30, abs=5)
    assert samples["microblog_events_last_hour", "finished"] == 2
    assert samples["microblog_events_last_hour", "mailed"] == 1


def test_events_are_counted(task, scrape):
    task.requeue()
    task.claim()
    task.crash()
    owed = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    owed.claim()
    owed.retry_later("The server was away")
    owed.mark_bounced("No such mailbox")
    samples = scrape()
    for event in ("requested", "requeued", "claimed", "rescued", "mail_failed", "bounced"):
        assert samples["microblog_events_last_hour", event] == 1, event


def test_events_older_than_an_hour_are_ignored(task, scrape):
    ExportEvent.objects.update(created_at=from_now(-3601))
    assert scrape()["microblog_events_last_hour", Event.REQUESTED.lower()] == 0


def test_jobs_and_workers_are_counted(task, empty_broker, scrape):
    queue = django_rq.get_queue("default")
    jobs.enqueue_task(task)
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    samples = scrape()
    assert (samples["microblog_queue_jobs",], samples["microblog_workers",]) == (1, 1)
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert scrape()["microblog_workers",] == 0


def test_broker_failure_hides_only_broker_metrics(task, scrape, monkeypatch):
    connection = Redis.from_url("unix:///nowhere.sock")
    monkeypatch.setattr("django_rq.queues.get_connection", lambda name: connection)
    samples = scrape()
    assert (samples["microblog_broker_up",], samples["microblog_database_up",]) == (0, 1)
    assert ("microblog_workers",) not in samples
    assert samples["microblog_exports", "ready"] == 1


def test_number_of_queries_is_constant(task, bob, scrape, django_assert_num_queries):
    with django_assert_num_queries(10):
        scrape()
    finish(task, 1, 1, 1)
    ExportTask.objects.request(bob)
    with django_assert_num_queries(10):
        scrape()
