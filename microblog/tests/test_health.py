import json
import socket
import threading
import time

import django_rq
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from redis import Redis

from exports import health as exports_health
from exports.models.task import archive_storage
from microblog import health
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now
from tasks.worker import Worker


@pytest.fixture(autouse=True)
def own_memory(monkeypatch):
    """What earlier tests found out is forgotten."""
    monkeypatch.setattr(health, "_believed_until", {})
    monkeypatch.setattr(health, "_under_way", {})


@pytest.fixture
def worker(empty_broker):
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    return worker


@pytest.fixture
def all_well(transactional_db, worker):
    SweeperHeartbeat.objects.record_heartbeat()


@pytest.fixture
def look(client):
    """The status, and why each check that failed did."""

    def look():
        response = client.get("/readyz")
        answer = json.loads(response.content)
        assert answer["ready"] is (response.status_code == 200)
        return response.status_code, {
            name: check.get("why") for name, check in answer["checks"].items() if not check["ok"]
        }

    return look


def test_a_living_process_says_so_without_asking_anyone(client, monkeypatch):
    """Without the `db` fixture a query would raise."""
    monkeypatch.setattr("django_rq.get_connection", None)
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_come_to_any_host_and_are_not_sent_to_https(path, all_well, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.METRICS_TOKEN = "a-token-of-some-length"
    response = Client(SERVER_NAME="10.0.0.7").get(
        path, headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    )
    assert response.status_code == 200
    assert Client(SERVER_NAME="10.0.0.7").get("/").status_code in (301, 400)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_only_read(path, client):
    assert client.post(path).status_code == 405
    assert client.head("/healthz").status_code == 200


def test_all_is_there(all_well, look):
    assert look() == (200, {})


def test_a_database_that_is_away_is_named_without_its_words(all_well, look, monkeypatch):
    def away():
        raise ConnectionError("password=hunter2 host=db.internal")

    monkeypatch.setitem(health.CHECKS, "database", away)
    assert look() == (503, {"database": "ConnectionError"})


def test_a_migration_that_is_missing_is_named(all_well, look, monkeypatch):
    monkeypatch.setattr(
        "microblog.health.MigrationExecutor.migration_plan", lambda *args: ["one", "two"]
    )
    assert look() == (503, {"migrations": "not applied: 2"})
    monkeypatch.undo()
    assert look() == (200, {})


def test_without_a_worker_it_is_not_ready(all_well, look, worker):
    worker.register_death()
    assert look() == (503, {"worker": "no worker heartbeat in the last 60 seconds"})


def test_a_worker_that_fell_silent_does_not_count(all_well, look, worker):
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert look() == (503, {"worker": "no worker heartbeat in the last 60 seconds"})


def test_without_a_sweeper_it_is_not_ready(all_well, look):
    SweeperHeartbeat.objects.update(last_heartbeat_at=from_now(-61))
    assert look() == (503, {"sweeper": "no sweeper heartbeat in the last 60 seconds"})
    SweeperHeartbeat.objects.record_heartbeat()
    assert look() == (200, {})
    SweeperHeartbeat.objects.all().delete()
    assert look()[0] == 503


def test_a_storage_that_takes_no_file_is_named(all_well, look, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("/secret/place")

    monkeypatch.setattr(archive_storage(), "_save", refuse)
    assert look() == (503, {"storage": "PermissionError"})


def test_a_storage_is_tried_once_a_minute_and_nothing_is_left_in_it(all_well, look, monkeypatch):
    saved = []
    save = archive_storage().save
    monkeypatch.setattr(archive_storage(), "save", lambda *args: saved.append(args) or save(*args))
    look()
    look()
    assert len(saved) == 1
    assert not [name for name in archive_storage().listdir("")[1] if "probe" in name]


def test_a_file_that_could_not_be_removed_is_the_next_time(all_well, look):
    archive_storage().save(exports_health.PROBE_NAME, ContentFile(b""))
    assert look() == (200, {})
    assert not [name for name in archive_storage().listdir("")[1] if "probe" in name]


def test_a_broker_that_hangs_does_not_hang_the_answer(all_well, look, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hung.sock"))
        server.listen(8)
        hung = Redis.from_url(f"unix://{tmp_path}/hung.sock?socket_timeout=30")
        monkeypatch.setattr("django_rq.get_connection", lambda name: hung)
        # By itself: a busy machine may take longer for the others.
        monkeypatch.setattr(health, "CHECKS", {"broker": health.CHECKS["broker"]})
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.5)
        began = time.monotonic()
        assert look() == (503, {"broker": "no answer within 0.5 seconds"})
        assert time.monotonic() - began < 10
        hung.connection_pool.disconnect()


def test_whatever_hangs_holds_one_thread_however_many_ask(all_well, look, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(health, "CHECKS", {"database": lambda: done.wait(30)})
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.5)
    for _ in range(3):
        assert look() == (503, {"database": "no answer within 0.5 seconds"})
    assert [thread.name for thread in threading.enumerate()].count("check-database") == 1
    done.set()
