"""Broker that accepts connections and never answers."""

import socket
import time

import pytest
from django.core.cache import cache
from redis import Redis

from conftest import PASSWORD
from microblog.cache import FailOpenRedisCache
from tasks import jobs
from tasks.heartbeat import Heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def hung_broker(tmp_path, monkeypatch):
    path = tmp_path / "hung.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        url = f"unix://{path}?socket_timeout=2&socket_connect_timeout=1"
        monkeypatch.setattr("django_rq.queues.get_connection", lambda name: Redis.from_url(url))
        monkeypatch.setattr(
            "tasks.broker.django_rq.get_connection", lambda name: Redis.from_url(url)
        )
        monkeypatch.setattr(cache._cache, "_servers", [f"unix://{path}?socket_timeout=1"])  # type: ignore[attr-defined]
        monkeypatch.setattr(cache._cache, "_pools", {})  # type: ignore[attr-defined]
        monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", 0.0)
        yield server


def duration(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_request_succeeds_within_three_seconds(client, alice, hung_broker):
    client.force_login(alice)
    assert duration(lambda: client.post("/exports/")) < 3
    assert alice.export_tasks.count() == 1


def test_sign_in_succeeds_within_three_seconds(client, alice, hung_broker):
    def sign_in():
        response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert response.status_code == 302

    assert duration(sign_in) < 3


def test_pages_do_not_use_broker(client, alice, task, hung_broker):
    client.force_login(alice)
    for url in ("/", "/exports/", f"/exports/{task.pk}/", "/notifications/"):
        client.get(url)
    hung_broker.setblocking(False)
    with pytest.raises(BlockingIOError):  # no connection is waiting
        hung_broker.accept()


def test_dashboard_reports_unreachable_broker(client, staff, monkeypatch):
    def unreachable(*args, **kwargs):
        return Redis.from_url("unix:///nowhere.sock")

    monkeypatch.setattr("django_rq.queues.get_redis_connection", unreachable)
    monkeypatch.setattr("django_rq.queues.get_connection", unreachable)
    client.force_login(staff)
    response = client.get("/admin/django_rq/dashboard/queues/0/")
    assert response.status_code == 503
    assert "cannot be reached" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_lease_is_renewed_while_broker_hangs(task, hung_broker, empty_broker):
    renewals = []
    with Heartbeat(lambda rows: renewals.append(time.monotonic()) is None, job_id=task.job_id):
        while len(renewals) < 3:
            time.sleep(0.05)
    assert renewals[-1] - renewals[0] < 8
    assert not jobs.enqueue_task(task)
