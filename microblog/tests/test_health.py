import json
import socket
import threading
import time

import django_rq
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from redis import Redis

from exports.health import PROBE_NAME
from exports.models.task import archive_storage
from microblog import health
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now
from tasks.worker import Worker


@pytest.fixture(autouse=True)
def no_cached_results(monkeypatch):
    monkeypatch.setattr(health, "_cached_until", {})
    monkeypatch.setattr(health, "_running", {})


@pytest.fixture
def worker(empty_broker):
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    return worker


@pytest.fixture
def healthy_site(transactional_db, worker):
    SweeperHeartbeat.objects.record_heartbeat()


@pytest.fixture
def get_readiness(client):
    """Request /readyz and return the status, and the reason of each check that failed."""

    def get():
        response = client.get("/readyz")
        answer = json.loads(response.content)
        assert answer["ready"] is (response.status_code == 200)
        return response.status_code, {
            name: check.get("why") for name, check in answer["checks"].items() if not check["ok"]
        }

    return get


def test_healthz_uses_neither_database_nor_broker(client, monkeypatch):
    # Without the `db` fixture a query raises.
    monkeypatch.setattr("django_rq.get_connection", None)
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_answer_any_host_over_http(path, healthy_site, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.METRICS_TOKEN = "a-token-of-some-length"
    response = Client(SERVER_NAME="10.0.0.7").get(
        path, headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    )
    assert response.status_code == 200
    assert Client(SERVER_NAME="10.0.0.7").get("/").status_code in (301, 400)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_refuse_post(path, client):
    assert client.post(path).status_code == 405
    assert client.head("/healthz").status_code == 200


def test_healthy_site_is_ready(healthy_site, get_readiness):
    assert get_readiness() == (200, {})


def test_database_error_is_reported_without_its_text(healthy_site, get_readiness, monkeypatch):
    def fail():
        raise ConnectionError("password=hunter2 host=db.internal")

    monkeypatch.setitem(health.CHECKS, "database", health.Check(fail))
    assert get_readiness() == (503, {"database": "ConnectionError"})


def test_missing_migrations_are_counted(healthy_site, get_readiness, monkeypatch):
    monkeypatch.setattr(
        "microblog.health.MigrationExecutor.migration_plan", lambda *args: ["one", "two"]
    )
    assert get_readiness() == (503, {"migrations": "not applied: 2"})
    monkeypatch.undo()
    assert get_readiness() == (200, {})


def test_site_without_worker_is_not_ready(healthy_site, get_readiness, worker):
    worker.register_death()
    assert get_readiness() == (503, {"worker": "no worker heartbeat in the last 60 seconds"})


def test_worker_without_heartbeat_does_not_count(healthy_site, get_readiness, worker):
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert get_readiness() == (503, {"worker": "no worker heartbeat in the last 60 seconds"})


def test_site_without_sweeper_is_not_ready(healthy_site, get_readiness):
    SweeperHeartbeat.objects.update(last_heartbeat_at=from_now(-61))
    assert get_readiness() == (503, {"sweeper": "no sweeper heartbeat in the last 60 seconds"})
    SweeperHeartbeat.objects.record_heartbeat()
    assert get_readiness() == (200, {})
    SweeperHeartbeat.objects.all().delete()
    assert get_readiness()[0] == 503


def test_storage_that_refuses_files_is_reported(healthy_site, get_readiness, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("/secret/place")

    monkeypatch.setattr(archive_storage(), "_save", refuse)
    assert get_readiness() == (503, {"storage": "PermissionError"})


def test_storage_is_checked_once_a_minute_without_leftovers(
    healthy_site, get_readiness, monkeypatch
):
    saved = []
    save = archive_storage().save
    monkeypatch.setattr(archive_storage(), "save", lambda *args: saved.append(args) or save(*args))
    get_readiness()
    get_readiness()
    assert len(saved) == 1
    assert not [name for name in archive_storage().listdir("")[1] if PROBE_NAME in name]


def test_leftover_probe_file_is_deleted(healthy_site, get_readiness):
    archive_storage().save(PROBE_NAME, ContentFile(b""))
    assert get_readiness() == (200, {})
    assert not [name for name in archive_storage().listdir("")[1] if PROBE_NAME in name]


def test_hanging_broker_does_not_delay_the_response(
    healthy_site, get_readiness, tmp_path, monkeypatch
):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hung.sock"))
        server.listen(8)
        hung = Redis.from_url(f"unix://{tmp_path}/hung.sock?socket_timeout=30")
        monkeypatch.setattr("django_rq.get_connection", lambda name: hung)
        # Only this check, because the others may take longer on a busy machine.
        monkeypatch.setattr(health, "CHECKS", {"broker": health.CHECKS["broker"]})
        monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.5)
        started = time.monotonic()
        assert get_readiness() == (503, {"broker": "no answer within 0.5 seconds"})
        assert time.monotonic() - started < 10
        hung.connection_pool.disconnect()


def test_hanging_check_blocks_only_one_thread(healthy_site, get_readiness, monkeypatch):
    done = threading.Event()

    def wait():
        done.wait(30)

    monkeypatch.setattr(health, "CHECKS", {"database": health.Check(wait)})
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.5)
    for _ in range(3):
        assert get_readiness() == (503, {"database": "no answer within 0.5 seconds"})
    assert [thread.name for thread in threading.enumerate()].count("check-database") == 1
    done.set()
