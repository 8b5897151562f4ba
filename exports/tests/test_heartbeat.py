import pytest
from django.db import OperationalError

from conftest import wait_until
from exports.heartbeat import Heartbeat, LeaseLost


def test_it_renews_at_every_tick_without_progress():
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None):
        wait_until(lambda: len(beats) >= 2)
    assert set(beats) == {0}


def test_it_passes_progress_on():
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None) as heartbeat:
        heartbeat.report(7)
        wait_until(lambda: 7 in beats)


def test_the_worker_is_stopped_once_the_lease_is_lost():
    with Heartbeat(lambda rows: False) as heartbeat:
        heartbeat._thread.join(10)
        with pytest.raises(LeaseLost):
            heartbeat.report(1)


def test_a_pause_ends_when_the_lease_is_lost():
    with Heartbeat(lambda rows: False) as heartbeat, pytest.raises(LeaseLost):
        heartbeat.wait(60)


def test_a_database_that_is_away_does_not_end_it():
    beats = []

    def renew(rows):
        beats.append(rows)
        if len(beats) == 1:
            raise OperationalError("gone")
        return True

    with Heartbeat(renew) as heartbeat:
        wait_until(lambda: len(beats) >= 2)
        heartbeat.report(1)


def test_it_stops_renewing_when_the_job_has_had_its_time(settings):
    settings.EXPORT_JOB_TIMEOUT = 0.1
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None) as heartbeat:
        heartbeat._thread.join(10)
        assert not heartbeat._thread.is_alive()
    assert beats == []
