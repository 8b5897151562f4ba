from datetime import UTC, datetime, timedelta

import pytest
from rq import Worker

from microblog import health as site_health
from tasks import broker, health
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now

SECONDS_AGO = [0, 30, 61, 3600]


def problem(name):
    try:
        site_health.CHECKS[name].run()
    except site_health.NotReady as error:
        return str(error)
    return ""


def expected(name, seconds):
    return "" if seconds < 60 else f"no {name} heartbeat in the last 60 seconds"


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(site_health, "CHECKS", {})
    health.register()


@pytest.fixture
def worker(empty_broker):
    worker = Worker(["default"], connection=broker.connection())
    worker.register_birth()
    yield worker
    worker.register_death()


def test_without_worker_the_site_is_not_ready(empty_broker):
    assert problem("worker") == expected("worker", 3600)


@pytest.mark.parametrize("seconds", SECONDS_AGO)
def test_silent_worker_does_not_count(worker, seconds):
    last = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    broker.connection().hset(worker.key, "last_heartbeat", last)
    assert problem("worker") == expected("worker", seconds)


@pytest.mark.django_db
def test_without_sweeper_the_site_is_not_ready():
    assert problem("sweeper") == expected("sweeper", 3600)


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", SECONDS_AGO)
def test_silent_sweeper_does_not_count(seconds):
    SweeperHeartbeat.objects.record_heartbeat()
    SweeperHeartbeat.objects.update(last_heartbeat_at=from_now(-seconds))
    assert problem("sweeper") == expected("sweeper", seconds)
