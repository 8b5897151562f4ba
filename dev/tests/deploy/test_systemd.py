"""systemd units: validity, privileges, and a site that really starts from its socket."""

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
OTHER_UNITS = ("microblog.target", "microblog-web.socket")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units as install.sh installs them."""
    return Path(shutil.copytree(UNITS, tmp_path / "units", ignore=shutil.ignore_patterns("local")))


def add_local_settings(units: Path) -> None:
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
    """Return the exposure of a unit by `systemd-analyze security`, from 0 (best) to 10."""
    done = analyze("security", "--offline=true", str(units / name))
    return float(done.stdout.rpartition("level for")[2].split()[1])


def service_option(name: str, option: str) -> str:
    """Return an option of a unit, or of the common settings."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read([UNITS / "microblog-.service.d" / "common.conf", UNITS / name])
    return unit["Service"][option]


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("is_local", [False, True])
def test_units_are_valid(units, is_local):
    if is_local:
        add_local_settings(units)
    done = analyze("verify", *(str(units / name) for name in (*SERVICES, *OTHER_UNITS)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_services_have_low_exposure(units, name):
    assert exposure(units, name) <= 1.4


@pytest.mark.needs("systemd-analyze")
def test_local_settings_reduce_exposure_further(units):
    add_local_settings(units)
    assert exposure(units, "microblog-web.service") <= 0.5
    assert exposure(units, "microblog-sweeper.service") <= 0.5


@pytest.mark.needs("systemd-analyze")
def test_exposure_is_high_without_common_settings(units):
    shutil.rmtree(units / "microblog-.service.d")
    assert exposure(units, "microblog-web.service") > 9


@pytest.mark.parametrize("name", SERVICES)
def test_services_always_restart_and_stop_main_process_only(name):
    assert (service_option(name, "Restart"), service_option(name, "KillMode")) == (
        "always",
        "mixed",
    )


def test_worker_stop_allows_longest_build():
    seconds = int(service_option("microblog-worker@.service", "TimeoutStopSec"))
    assert seconds > settings.EXPORT_JOB_TIMEOUT + 60


@pytest.mark.integration
@pytest.mark.needs("systemd-socket-activate")
def test_site_answers_on_systemd_socket(tmp_path):
    path = tmp_path / "web.sock"
    command = shlex.split(service_option("microblog-web.service", "ExecStart"))
    command[:2] = [sys.executable]  # instead of `env .venv/bin/python`, which needs a release
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
        assert b" 302 Found" in get(path, "/exports/")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def get(path: Path, url: str) -> bytes:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(f"GET {url} HTTP/1.0\r\nHost: testserver\r\n\r\n".encode())
        return connection.recv(4096)
