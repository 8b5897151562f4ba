"""A broker that takes connections and never answers."""

import socket
import time

import pytest
from django.core.cache import cache
from redis import Redis

from conftest import PASSWORD
from exports import jobs
from exports.heartbeat import Heartbeat
from microblog.cache import FailOpenRedisCache

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def hung(tmp_path, monkeypatch):
    path = tmp_path / "hung.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        url = f"unix://{path}?socket_timeout=2&socket_connect_timeout=1"
        monkeypatch.setattr("django_rq.queues.get_connection", lambda name: Redis.from_url(url))
        monkeypatch.setattr("exports.heartbeat.get_connection", lambda name: Redis.from_url(url))
        monkeypatch.setattr(cache._cache, "_servers", [f"unix://{path}?socket_timeout=1"])  # type: ignore[attr-defined]
        monkeypatch.setattr(cache._cache, "_pools", {})  # type: ignore[attr-defined]
        monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", 0.0)
        yield server


def seconds(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_a_request_is_taken_in_under_three_seconds(client, alice, hung):
    client.force_login(alice)
    assert seconds(lambda: client.post("/exports/")) < 3
    assert alice.export_tasks.count() == 1


def test_signing_in_goes_on(client, alice, hung):
    def sign_in():
        response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert response.status_code == 302

    assert seconds(sign_in) < 3


def test_pages_do_not_ask_it(client, alice, task, hung):
    client.force_login(alice)
    for url in ("/", "/exports/", f"/exports/{task.pk}/", "/notifications/"):
        client.get(url)
    hung.setblocking(False)
    with pytest.raises(BlockingIOError):  # nobody has come
        hung.accept()


def test_the_dashboard_says_so(client, staff, monkeypatch):
    def away(*args, **kwargs):
        return Redis.from_url("unix:///nowhere.sock")

    monkeypatch.setattr("django_rq.queues.get_redis_connection", away)
    monkeypatch.setattr("django_rq.queues.get_connection", away)
    client.force_login(staff)
    response = client.get("/admin/django_rq/dashboard/queues/0/")
    assert response.status_code == 503
    assert "cannot be reached" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_build_does_not_lose_its_lease_over_it(task, hung, empty_broker):
    class Job:
        id, serializer, meta = task.job_id, None, {}

    renewals = []
    with Heartbeat(lambda rows: renewals.append(time.monotonic()) is None, job=Job()):
        while len(renewals) < 3:
            time.sleep(0.05)
    assert renewals[-1] - renewals[0] < 8
    assert not jobs.enqueue_export(task)
