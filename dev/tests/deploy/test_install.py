"""deploy/install.sh in a folder that stands for the root file system, without systemd."""

import fcntl
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from django.conf import settings

from blog.models import Post, User
from conftest import wait_until
from dev.chaos.accounts import Account
from dev.stack import ROOT, Stack, kill_session
from exports.models import ExportTask, Status

# Compressing the static files is slow on a busy machine.
pytestmark = [pytest.mark.integration, pytest.mark.sqlite, pytest.mark.timeout(600)]


class Machine:
    """Machine whose root file system is a folder and whose environment is a stack's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "srv" / "microblog"
        self.env_file = root / "etc" / "microblog" / "env"

    def configure(self, env: Mapping[str, str]) -> None:
        self.env_file.parent.mkdir(parents=True, exist_ok=True)
        self.env_file.write_text(
            "".join(
                f"{name}={shlex.quote(text)}\n"
                for name, text in env.items()
                if os.environ.get(name) != text
            )
        )

    def install(self, *arguments: str, **variables: str) -> str:
        """Run install.sh and return its output. Raises CalledProcessError if it fails."""
        env = os.environ | {"DESTDIR": str(self.root), "VENV": sys.prefix} | variables
        command = [str(ROOT / "deploy" / "install.sh"), *arguments]
        return subprocess.run(
            command, cwd=self.root, env=env, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    @property
    def current(self) -> str:
        return (self.home / "current").readlink().name

    def run_worker(self, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start the unit's command in the current release."""
        unit = (self.root / "etc/systemd/system/microblog-worker@.service").read_text()
        [command] = [
            line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStart=")
        ]
        with log.open("ab") as output:
            return subprocess.Popen(
                shlex.split(command),
                cwd=self.home / "current",
                env=env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def first_install(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Machine on which the incomplete release "one" was installed again.

    Created once for all pytest-xdist workers.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    root = folder / "first-install"
    machine = Machine(root)
    with (folder / "first-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            incomplete = machine.home / "releases" / "one"
            incomplete.mkdir(parents=True)
            (incomplete / "manage.py").write_text("broken")
            variables = {
                "VAR_DIR": str(root / "var/lib/microblog"),
                "DATABASE_URL": f"sqlite:///{root}/db.sqlite3",
            }
            machine.configure(variables)
            machine.install(VERSION="one")
    return machine


@pytest.fixture
def machine(tmp_path: Path, first_install: Machine) -> Machine:
    """Copy of the machine with release "one", for the test to change."""
    return Machine(Path(shutil.copytree(first_install.root, tmp_path / "root", symlinks=True)))


@pytest.fixture
def site(stack: Stack) -> Stack:
    """Site without workers, with exports slow enough to be interrupted."""
    stack.env |= {"SECRET_KEY": settings.SECRET_KEY, "EXPORT_MAX_RATE": "200"}
    stack.start("broker", "mail", "sweeper", "site")
    return stack


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for worker in started:
        kill_session(worker.pid)
        worker.wait()


def request_export(site: Stack, owner: User) -> ExportTask:
    """Request an export of 400 posts, which takes two seconds."""
    Post.objects.bulk_create(
        Post(author=owner, body=f"Post {number}") for number in range(400 - owner.posts.count())
    )
    return ExportTask.objects.get(pk=Account(owner, site.site_url).request_export())


def has_reached(task: ExportTask, status: Status) -> bool:
    task.refresh_from_db()
    return task.status == status and (task.rows_done > 0 or status != Status.RUNNING)


def test_first_run_creates_environment_file(tmp_path):
    machine = Machine(tmp_path)
    output = machine.install(VERSION="one")
    assert f"Created {machine.env_file}. Fill it in" in output
    assert stat.S_IMODE(machine.env_file.stat().st_mode) == 0o600
    [key] = [
        line for line in machine.env_file.read_text().splitlines() if line.startswith("SECRET_KEY=")
    ]
    assert len(key) > 60
    assert not (machine.home / "current").exists()


def test_incomplete_release_is_created_again(first_install):
    release = first_install.home / "releases" / "one"
    assert (release / "manage.py").read_bytes() == (ROOT / "manage.py").read_bytes()
    assert len(list(release.glob("locale/*/LC_MESSAGES/django.mo"))) == 2
    assert (release / "staticfiles" / "staticfiles.json").exists()
    assert first_install.current == "one"


def test_database_is_readable_by_services_only(first_install):
    database = first_install.root / "db.sqlite3"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_second_install_changes_nothing(machine, stack):
    machine.configure(stack.env)
    assert "Release one already exists." in machine.install(VERSION="one")
    before = machine.env_file.read_text()
    assert "Release one already exists." in machine.install(VERSION="one")
    assert machine.env_file.read_text() == before
    assert machine.current == "one"
    assert not (machine.home / "previous").exists()


def test_invalid_environment_prevents_switch(machine, stack):
    machine.configure(stack.env | {"EXPORT_LEASE_SECONDS": "1"})
    (machine.home / "current").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        machine.install(VERSION="one")
    assert not (machine.home / "current").is_symlink()


def test_upgrade_and_rollback_lose_no_job(machine, site, workers, alice, tmp_path):
    machine.configure(site.env)
    old = machine.run_worker(site.env, tmp_path / "worker.log")
    workers.append(old)
    machine.install(VERSION="two")
    assert machine.current == "two"
    assert Path(f"/proc/{old.pid}/cwd").readlink().name == "one"
    stop_during_build(old, request_export(site, alice))

    new = machine.run_worker(site.env, tmp_path / "worker.log")
    workers.append(new)
    machine.install("--back")
    assert machine.current == "one"
    assert Path(f"/proc/{new.pid}/cwd").readlink().name == "two"
    stop_during_build(new, request_export(site, alice))


def stop_during_build(worker: subprocess.Popen[bytes], task: ExportTask) -> None:
    """Send SIGTERM to the worker's main process, as systemd does: it finishes its build first."""
    wait_until(lambda: has_reached(task, Status.RUNNING))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert has_reached(task, Status.SUCCESSFUL)
    assert (task.attempt, task.crashes) == (1, 0)


def test_unused_old_releases_are_deleted(machine, stack):
    machine.configure(stack.env)
    for number in range(7):
        old = machine.home / "releases" / f"old{number}"
        old.mkdir()
        os.utime(old, (number, number))
    command = [sys.executable, "-c", "input()"]
    user = subprocess.Popen(command, cwd=machine.home / "releases" / "old0", stdin=subprocess.PIPE)
    try:
        machine.install(VERSION="one")
        left = {path.name for path in (machine.home / "releases").iterdir()}
        assert left == {"one", "old6", "old5", "old4", "old3", "old0"}
    finally:
        user.communicate(b"\n")
