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
