import os
import subprocess
import sys

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


@pytest.fixture
def exits(monkeypatch, settings):
    """Record exits of the process, which would end the tests."""
    settings.EXPORT_LEASE_SECONDS = 0.01
    codes: list[int] = []
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 0.01)
    monkeypatch.setattr("tasks.heartbeat.os._exit", codes.append)
    monkeypatch.setattr("tasks.heartbeat.logging.shutdown", lambda: None)
    return codes


def test_process_exits_a_lease_after_losing_it(exits, caplog):
    with Heartbeat(lambda rows: False, exit_if_stuck=True):
        wait_until(lambda: exits, seconds=20)
    assert exits == [1]
    assert "this process ends itself" in caplog.text


@pytest.mark.parametrize("arguments", [{}, {"exit_if_stuck": False}])
def test_other_holders_of_leases_do_not_exit(exits, arguments):
    with Heartbeat(lambda rows: False, **arguments) as heartbeat:
        heartbeat._thread.join(20)
        assert not heartbeat._thread.is_alive()
    assert exits == []


def test_process_that_stops_in_time_does_not_exit(exits, settings):
    settings.EXPORT_LEASE_SECONDS = 600
    with Heartbeat(lambda rows: False, exit_if_stuck=True) as heartbeat:
        heartbeat._lost.wait(20)
    assert not heartbeat._thread.is_alive()
    assert exits == []


@pytest.fixture
def shown(monkeypatch):
    """Record what is shown in the RQ dashboard."""
    shown = []

    class Progress:
        def __init__(self, job_id):
            self.job_id = job_id

        def show(self, rows_done, rows_total):
            shown.append((self.job_id, rows_done, rows_total))

    monkeypatch.setattr("tasks.heartbeat.JobProgress", Progress)
    return shown


def test_progress_is_shown_with_each_beat_and_at_the_end(shown, monkeypatch):
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 0.01)
    with Heartbeat(lambda rows: True, job_id="job", rows_total=20) as heartbeat:
        wait_until(lambda: shown, seconds=20)
        heartbeat.report(20)
    assert shown[0] == ("job", 0, 20)
    assert shown[-1] == ("job", 20, 20)


def test_progress_of_short_work_is_not_shown(shown, monkeypatch):
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 60)
    with Heartbeat(lambda rows: True, job_id="job", rows_total=20) as heartbeat:
        heartbeat.report(20)
    assert shown == []


def test_work_outside_of_a_job_shows_no_progress(shown, monkeypatch):
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 0.01)
    beats: list[int] = []
    with Heartbeat(lambda rows: not beats.append(rows), rows_total=20):
        wait_until(lambda: len(beats) > 2, seconds=20)
    assert shown == []


def test_database_error_is_logged_and_closes_connections(monkeypatch, caplog):
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 0.01)
    closed: list[int] = []
    beats: list[int] = []
    monkeypatch.setattr("tasks.heartbeat.connections.close_all", lambda: closed.append(len(beats)))

    def renew(rows):
        beats.append(rows)
        if len(beats) == 2:
            raise OperationalError("gone away")
        return True

    with Heartbeat(renew):
        wait_until(lambda: len(beats) > 3, seconds=20)
    assert closed[0] == 2  # at once, and again at the end
    assert len(closed) == 2
    assert "The lease was not renewed; trying again: gone away" in caplog.text


STUCK = """
import sys, time
import django
django.setup()
from tasks.heartbeat import Heartbeat
with Heartbeat(lambda rows: False, exit_if_stuck=sys.argv[1] == "exit"):
    time.sleep(float(sys.argv[2]))
"""


def run_stuck(*arguments):
    environment = os.environ | {"EXPORT_LEASE_SECONDS": "0.2"}
    command = [sys.executable, "-c", STUCK, *arguments]
    return subprocess.run(command, env=environment, timeout=60, check=False).returncode


def test_stuck_process_ends_itself():
    assert run_stuck("exit", "50") == 1


def test_web_process_is_never_ended():
    assert run_stuck("stay", "1.5") == 0
