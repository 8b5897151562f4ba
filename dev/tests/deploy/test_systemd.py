"""The units: whether systemd takes them, how much they may do, and that the site really runs from its socket."""

import configparser
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from dev.stack import ROOT, environment

UNITS = ROOT / "deploy" / "systemd"
SERVICES = ("microblog-web.service", "microblog-worker@.service", "microblog-sweeper.service")
OTHERS = ("microblog.target", "microblog-web.socket")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, in a folder of their own."""
    return Path(shutil.copytree(UNITS, tmp_path / "units", ignore=shutil.ignore_patterns("local")))


def make_local(units: Path) -> None:
    shutil.copytree(UNITS / "local", units, dirs_exist_ok=True)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )


def exposure(units: Path, name: str) -> float:
    """What `systemd-analyze security` says of a unit, from 0 (none) to 10."""
    done = analyze("security", "--offline=true", str(units / name))
    return float(done.stdout.rpartition("level for")[2].split()[1])


def value(name: str, option: str) -> str:
    """An option of a unit, or of what all have in common."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read([UNITS / "microblog-.service.d" / "common.conf", UNITS / name])
    return unit["Service"][option]


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("is_local", [False, True])
def test_systemd_finds_nothing_wrong(units, is_local):
    if is_local:
        make_local(units)
    done = analyze("verify", *(str(units / name) for name in (*SERVICES, *OTHERS)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little(units, name):
    assert exposure(units, name) <= 1.4


@pytest.mark.needs("systemd-analyze")
def test_without_a_network_the_site_may_do_next_to_nothing(units):
    make_local(units)
    assert exposure(units, "microblog-web.service") <= 0.5
    assert exposure(units, "microblog-sweeper.service") <= 0.5


@pytest.mark.needs("systemd-analyze")
def test_what_all_services_share_is_what_makes_the_difference(units):
    shutil.rmtree(units / "microblog-.service.d")
    assert exposure(units, "microblog-web.service") > 9


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_started_again_whatever_ended_it_and_only_its_main_process_is_asked_to_stop(name):
    assert (value(name, "Restart"), value(name, "KillMode")) == ("always", "mixed")


def test_a_worker_is_given_the_time_to_finish_the_longest_build():
    assert (
        int(value("microblog-worker@.service", "TimeoutStopSec")) > settings.EXPORT_JOB_TIMEOUT + 60
    )


@pytest.mark.integration
@pytest.mark.needs("systemd-socket-activate")
def test_the_site_answers_on_the_socket_that_systemd_opened(tmp_path):
    path = tmp_path / "web.sock"
    command = shlex.split(value("microblog-web.service", "ExecStart"))
    command[:2] = [sys.executable]  # for `env .venv/bin/python`, which stands in a release
    env = environment(
        tmp_path / "var",
        "unix:///nowhere",
        SITE_URL="http://testserver",
        ALLOWED_HOSTS="testserver",
    )
    activate = [
        "systemd-socket-activate",
        "--listen",
        str(path),
        *(f"--setenv={name}" for name in env),
        *command,
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(activate, cwd=ROOT, env=env, stderr=log, start_new_session=True)
    try:
        assert b" 302 Found" in ask(path, "/exports/")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def ask(path: Path, url: str) -> bytes:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(f"GET {url} HTTP/1.0\r\nHost: testserver\r\n\r\n".encode())
        return connection.recv(4096)
