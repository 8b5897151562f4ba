import pytest
from django.db import OperationalError

from conftest import wait_until
from tasks.heartbeat import Heartbeat, LeaseLost


def test_lease_is_renewed_without_progress():
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None):
        wait_until(lambda: len(beats) >= 2)
    assert set(beats) == {0}


def test_renewal_passes_on_progress():
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None) as heartbeat:
        heartbeat.report(7)
        wait_until(lambda: 7 in beats)


def test_report_raises_once_lease_is_lost():
    with Heartbeat(lambda rows: False) as heartbeat:
        heartbeat._thread.join(10)
        with pytest.raises(LeaseLost):
            heartbeat.report(1)


def test_wait_ends_when_lease_is_lost():
    with Heartbeat(lambda rows: False) as heartbeat, pytest.raises(LeaseLost):
        heartbeat.wait(60)


def test_heartbeat_survives_database_error():
    beats = []

    def renew(rows):
        beats.append(rows)
        if len(beats) == 1:
            raise OperationalError("gone")
        return True

    with Heartbeat(renew) as heartbeat:
        wait_until(lambda: len(beats) >= 2)
        heartbeat.report(1)


def test_renewal_stops_after_job_timeout(settings):
    settings.EXPORT_JOB_TIMEOUT = 0.1
    beats = []
    with Heartbeat(lambda rows: beats.append(rows) is None) as heartbeat:
        heartbeat._thread.join(10)
        assert not heartbeat._thread.is_alive()
    assert beats == []
