"""`make run` as a developer uses it: in a checkout of its own, ended by signals to its group."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
import redis
import requests
from watchfiles import Change

from conftest import wait_until
from dev import broker, run
from dev.mailbox import Mailbox
from dev.site_client import SiteClient
from dev.stack import ROOT, die_with_parent, free_port, kill_session

pytestmark = [pytest.mark.integration, pytest.mark.sqlite, pytest.mark.timeout(300)]

BIN = Path(sys.executable).parent
POSTS = 400
MAX_STOP_SECONDS = 10
NOT_COPIED = (".*", "__pycache__", "docs", "staticfiles", "tests", "var")
# Without the variables that these tests have for themselves.
SHELL = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


class Checkout:
    """Copy of the project with its own `.env` and var/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.mailbox = Mailbox(folder / "var" / "mail")

    def command(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=SHELL | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def pids(self) -> dict[str, int]:
        """Return the processes of the stack by name; gunicorn's master without its workers."""
        names = {"rqworker": "worker", "sweeper": "sweeper", "gunicorn": "site"}
        names |= {"dev.mail_server": "mail", "valkey": "broker"}
        found: dict[str, int] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if Path(process.cwd()).is_relative_to(self.folder):
                    words = [*process.cmdline(), process.name().partition("-")[0]]
                    found |= {
                        name: process.pid
                        for word, name in names.items()
                        if word in words and os.getsid(process.pid) == process.pid
                    }
        return found

    def log(self, name: str) -> str:
        return (self.folder / "var" / "log" / f"{name}.log").read_text()


class Run:
    """`make run`, and its output so far."""

    def __init__(self, checkout: Checkout, **variables: str) -> None:
        self.checkout = checkout
        self.lines: list[str] = []
        self.process = checkout.command("-m", "dev.run", PORT=str(checkout.port), **variables)

    def read_until(self, start: str) -> str:
        """Return the next line that begins like this. Fail if the run ends before it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return self.lines[-1]
        pytest.fail("\n".join(self.lines))

    def read_rest(self) -> list[str]:
        output, _ = self.process.communicate(timeout=60)
        return output.splitlines()

    def press_ctrl_c(self) -> float:
        """Send SIGINT to the process group as a terminal does. Return the seconds to the end."""
        started_at = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.lines += self.read_rest()
        return time.monotonic() - started_at


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project, and give it a database in which `demo` has all posts."""
    folder = tmp_path_factory.mktemp("project") / "prepared"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (folder / ".env").write_text(f"DEBUG=true\nSECRET_KEY={'key' * 20}")
    for arguments in (("migrate",), ("seed_demo", "--users=1", f"--posts={POSTS}")):
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=folder,
            env=SHELL,
            check=True,
            capture_output=True,
        )
    return folder


@pytest.fixture
def checkout(prepared: Path, tmp_path: Path) -> Checkout:
    folder = tmp_path / "checkout"
    shutil.copytree(prepared, folder)
    return Checkout(folder)


@pytest.fixture
def start(checkout: Checkout) -> Iterator[Callable[..., Run]]:
    runs = []

    def start(**variables: str) -> Run:
        runs.append(Run(checkout, **variables))
        runs[-1].read_until("Ready: ")
        return runs[-1]

    yield start
    for run_ in runs:
        kill_session(run_.process.pid)
        run_.process.communicate()
    wait_until(lambda: not checkout.pids())


def request_export(site: SiteClient) -> str:
    site.sign_in("demo", run.PASSWORD)
    return site.request_export("demo")


def progress(site: SiteClient, task: str) -> dict[str, object]:
    changes = site.notifications()["notifications"]
    return next((item["data"] for item in changes if item["data"].get("task") == task), {})


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_first_run_prepares_everything_and_stops_cleanly(checkout, start):
    shutil.rmtree(checkout.folder / "var")

    site = start()

    assert site.lines[-1] == (
        f"Ready: {checkout.url} Sign in as demo, empty or staff (password: microblog-demo)."
    )
    assert len(site.lines) < 10, site.lines
    assert set(checkout.pids()) == {"broker", "mail", "worker", "sweeper", "site"}
    assert "Sweeper started" in checkout.log("sweeper")
    assert "EMAIL_URL=smtp://127.0.0.1:" in (checkout.folder / ".env").read_text()
    with SiteClient(checkout.url) as client:
        client.sign_in("staff", run.PASSWORD)
        assert client.get("/admin/").ok

    assert site.press_ctrl_c() < MAX_STOP_SECONDS
    assert (site.process.returncode, site.lines[-1]) == (0, "Stopped.")
    assert checkout.pids() == {}


def test_ctrl_c_stops_run_during_long_build(checkout, start):
    site = start(EXPORT_MAX_RATE="5")
    with SiteClient(checkout.url) as client:
        task = request_export(client)
        wait_until(lambda: progress(client, task).get("value"))

    seconds = site.press_ctrl_c()

    assert seconds < MAX_STOP_SECONDS
    assert (site.process.returncode, site.lines[-1]) == (0, "Stopped.")
    assert checkout.pids() == {}
    assert "cold shut down" in checkout.log("worker")


def test_ctrl_c_while_preparing_leaves_no_half_data(checkout):
    shutil.rmtree(checkout.folder / "var")
    site = Run(checkout)
    site.read_until("Preparing the database")
    database = checkout.folder / "var" / "db.sqlite3"
    wait_until(lambda: database.exists() and database.stat().st_size)

    assert site.press_ctrl_c() < MAX_STOP_SECONDS
    assert (site.process.returncode, site.lines[-1]) == (0, "Stopped.")
    assert "Traceback" not in "\n".join(site.lines)


@pytest.mark.parametrize(
    ("name", "own_words"),
    [("sweeper", "Sweeper started"), ("mail", "Mail server on 127.0.0.1")],
)
def test_killed_process_is_shown_with_its_log(checkout, start, name, own_words):
    log = checkout.folder / "var" / "log" / f"{name}.log"
    site = start()
    with log.open("a") as file:
        file.write("the last words\n")

    os.kill(checkout.pids()[name], signal.SIGKILL)

    output = "\n".join(site.read_rest())
    assert site.process.returncode == 1
    assert re.search(
        rf"The {name} process exited \(code 137\)\.(?s:.*){own_words}(?s:.*)the last words$", output
    )
    assert checkout.pids() == {}


def test_edit_reloads_site_worker_and_sweeper(checkout, start):
    site = start()
    before = checkout.pids()

    replace(checkout.folder / "templates" / "base.html", "</body>", "<!-- edited --></body>")
    assert site.read_until("Changed") == "Changed: templates/base.html. Reloading ..."
    site.read_until("Ready: ")
    assert "<!-- edited -->" in requests.get(checkout.url, timeout=30).text

    health = checkout.folder / "microblog" / "health.py"
    health.write_text(f"{health.read_text()}\nprint('the edited module')\n")
    site.read_until("Changed: microblog/health.py")
    site.read_until("Ready: ")

    wait_until(lambda: all("the edited module" in checkout.log(name) for name in run.RELOADED))
    after = checkout.pids()
    assert {name for name in before if before[name] != after[name]} == set(run.RELOADED)


def test_syntax_error_waits_for_its_correction(checkout, start):
    site = start()
    views = checkout.folder / "blog" / "views" / "posts.py"
    code = views.read_text()

    views.write_text(f"{code}\nif:\n")
    site.read_until("Waiting for the next change")
    assert any("SyntaxError" in line for line in site.lines)
    assert site.process.poll() is None

    views.write_text(code)
    site.read_until("Ready: ")
    assert requests.get(checkout.url, timeout=30).ok
    assert site.press_ctrl_c() < MAX_STOP_SECONDS
    assert site.process.returncode == 0


def test_reload_lets_running_build_finish(checkout, start):
    site = start(EXPORT_MAX_RATE="60")
    with SiteClient(checkout.url) as client:
        task = request_export(client)
        wait_until(lambda: progress(client, task).get("value"))

        replace(checkout.folder / "templates" / "base.html", "</body>", "<!-- edited --></body>")
        site.read_until("Ready: ")

        assert checkout.mailbox.wait("demo@example.com", seconds=60).attachment("posts.json")
    with closing(sqlite3.connect(checkout.folder / "var" / "db.sqlite3")) as database:
        rows = database.execute("SELECT status, attempt, crashes FROM exports_exporttask")
        assert rows.fetchall() == [("SUCCESSFUL", 1, 0)]


@pytest.mark.parametrize(
    ("file", "is_read"),
    [
        ("blog/views/posts.py", True),
        ("templates/email/signup_message.txt", True),
        ("locale/es/LC_MESSAGES/django.mo", True),
        ("blog/tests/test_post.py", False),
        ("templates/.#base.html", False),
        ("blog/__pycache__/apps.cpython-311.pyc", False),
    ],
)
def test_only_files_of_servers_cause_reload(file, is_read):
    assert run.is_source(Change.modified, str(ROOT / file)) is is_read


def test_data_and_developer_tools_are_not_watched():
    watched = {folder.name for folder in run.source_folders()}
    assert {"api", "blog", "exports", "microblog", "templates", "locale"} <= watched
    assert watched.isdisjoint({".git", ".venv", "dev", "benchmarks", "static", "var"})


def test_bare_worker_shares_broker_database_and_mail(checkout, start):
    start(EXPORT_MAX_RATE="5")
    with SiteClient(checkout.url) as client:
        task = request_export(client)
        wait_until(lambda: progress(client, task).get("value"))  # its own worker is busy
        bare = checkout.command("manage.py", "rqworker")
        try:
            client.request_export("demo", kind="account")
            mail = checkout.mailbox.wait("demo@example.com", seconds=60)
        finally:
            kill_session(bare.pid)
            output, _ = bare.communicate()
    assert mail.attachment("account.zip")
    assert mail.message["from"] == "Microblog <noreply@localhost>"
    assert "run_task" in output


def test_bare_command_sends_mail_to_same_server(checkout, start):
    start()
    code = "from django.core.mail import send_mail; send_mail('Hello', '', None, ['a@example.com'])"
    bare = checkout.command("manage.py", "shell", "-c", code)
    output, _ = bare.communicate(timeout=60)
    assert bare.returncode == 0, output
    assert checkout.mailbox.wait("a@example.com").message["subject"] == "Hello"


def test_second_run_in_same_folder_is_refused(checkout, start):
    start()

    second = Run(checkout)

    assert second.read_rest() == ["Already running with var/. Stop that one first."]
    assert second.process.returncode == 1


def test_taken_port_is_named_by_make(checkout):
    # Make splits a path that contains spaces, so it gets a link.
    (checkout.folder / "venv").symlink_to(BIN.parent)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        make = subprocess.run(
            ["make", "--silent", "--old-file=ready", "BIN=venv/bin", "run", f"PORT={port}"],
            cwd=checkout.folder,
            env=SHELL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"Port {port} is taken by another program." in make.stderr
    assert f"make run PORT={port + 1}" in make.stderr
    assert make.returncode == 2
    assert not (checkout.folder / "var" / "log").exists() or checkout.pids() == {}


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::1")],
)
def test_port_is_taken_on_each_address(family, address):
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        assert run.find_port_problem(port) == "is taken by another program"
    assert run.find_port_problem(port) is None


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8000.0"])
def test_invalid_port_is_refused(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(run.RunError, match=rf"from 1 to 65535, and not {port}"):
        run.choose_port("http://localhost:8000")


def test_port_of_site_url_is_default(monkeypatch):
    monkeypatch.delenv("PORT", raising=False)
    port = free_port()
    assert run.choose_port(f"http://localhost:{port}") == port


def test_mail_port_of_other_program_is_refused(checkout):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        site = Run(checkout, EMAIL_URL=f"smtp://127.0.0.1:{port}")
        lines = site.read_rest()
    assert lines == [
        f"Port {port} of EMAIL_URL is taken by another program. Set another one in .env."
    ]
    assert site.process.returncode == 1


def test_broker_on_the_network_is_used(checkout, start, tmp_path):
    port = free_port()
    (tmp_path / "data").mkdir()
    command = broker.server_command(tmp_path / "valkey.sock", tmp_path / "data", port)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            url = f"redis://127.0.0.1:{port}"
            broker.wait_until_ready(url)
            start(REDIS_URL=url)
            with redis.Redis.from_url(url) as connection:
                assert connection.scard("rq:workers") == 1
            assert set(checkout.pids()) == {"mail", "worker", "sweeper", "site"}
        finally:
            server.terminate()
