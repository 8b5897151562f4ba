"""Two web and three worker hosts without shared folders.

They share one database, one broker and one object store.
"""

import hashlib
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from django.conf import settings

from blog.management import demo_data as demo
from blog.models import Post, User
from conftest import database_url
from dev import broker
from dev.chaos.accounts import Account
from dev.chaos.databases import Postgres
from dev.object_store import ObjectStore
from dev.stack import Child, Stack, free_port, session_members
from exports.models import Event, ExportEvent, ExportMail, ExportTask, MailStatus, Status

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

USERS = 24
POSTS = 240  # per user; a build takes two seconds
WEB = ("web1", "web2")
WORKERS = ("worker1", "worker2", "worker3")
SWEEPERS = WORKERS[1:]


class Hosts:
    """Hosts as stacks, each with its own folder and only some of the processes."""

    def __init__(self, folder: Path, services: ExitStack) -> None:
        store = services.enter_context(ObjectStore(folder))
        self.store = store
        self.redis_url = f"redis://127.0.0.1:{self._start_broker(folder, services)}"
        shared = store.env | {
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": settings.SECRET_KEY,
            "SEVERAL_HOSTS": "true",
            "EXPORT_MAX_RATE": str(POSTS // 2),
            "EXPORT_COOLDOWN": "0",
        }
        self.post_office = services.enter_context(Stack(folder / "mail"))
        self.post_office.start("mail")
        shared["EMAIL_URL"] = self.post_office.env["EMAIL_URL"]
        self.all = {
            name: services.enter_context(Stack(folder / name, **shared))
            for name in (*WEB, *WORKERS)
        }
        self.all["web1"].run("check")  # fails on services that hosts cannot share
        for name in WEB:
            self.all[name].start("site")
        for name in WORKERS:
            self.all[name].start("worker", *(["sweeper"] if name in SWEEPERS else []))

    def _start_broker(self, folder: Path, services: ExitStack) -> int:
        port = free_port()
        command = broker.server_command(broker.socket_path(folder), folder, port)
        child = Child("broker", command, {}, folder / "broker.log")
        services.callback(child.kill)
        broker.wait_until_ready(f"redis://127.0.0.1:{port}")
        return port

    def processes(self, name: str) -> list[int]:
        return [
            pid for child in self.all[name].children.values() for pid in session_members(child.pid)
        ]

    def signal(self, name: str, signum: signal.Signals) -> None:
        for pid in self.processes(name):
            os.kill(pid, signum)

    def is_building(self, name: str) -> bool:
        """Return whether a host's worker has a work-horse."""
        return len(session_members(self.all[name].children["worker"].pid)) > 1

    def builds(self, name: str) -> list[tuple[str, str]]:
        """Return the task and attempt of all builds that a host started."""
        log = (self.all[name].log_dir / "worker.log").read_text()
        pattern = r"default: tasks\.jobs\.run_task\('exports\.ExportTask', '(.+)', (\d+)\)"
        return re.findall(pattern, log)

    def freeze_during_build(self, name: str) -> ExportTask:
        """Freeze a host in the middle of a build, and return its task.

        Its connections stay open and silent, as after a network failure.
        """
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            running = ExportTask.objects.filter(status=Status.RUNNING)
            task = next(
                (
                    running.filter(pk=pk, attempt=attempt).first()
                    for pk, attempt in self.builds(name)[-1:]
                ),
                None,
            )
            if task is not None and 0 < task.rows_done < POSTS // 2:
                self.signal(name, signal.SIGSTOP)
                # A host frozen in the middle of a write keeps its rows locked.
                if Postgres(database_url()).has_no_frozen_transaction():
                    return task
                self.signal(name, signal.SIGCONT)
            time.sleep(0.02)
        raise AssertionError(f"{name} started no build in 30 seconds.")


@pytest.fixture
def users(make_user: Callable[..., User]) -> list[User]:
    users = [make_user(f"user{number}") for number in range(USERS)]
    for user in users:
        texts = demo.generate_posts(user.username, POSTS, seed=1)
        Post.objects.bulk_create(
            Post(author=user, body=text.body, created_at=text.created_at) for text in texts
        )
    return users


@pytest.fixture
def hosts(transactional_db: None, tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as services:
        yield Hosts(tmp_path, services)


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, Counter(
            ExportTask.objects.values_list("status", flat=True)
        )
        time.sleep(0.05)


def request_export(hosts: Hosts, user: User, web: str) -> str:
    """Return the id of the task that a web host created."""
    return Account(user, hosts.all[web].site_url).request_export()


def is_everything_mailed() -> bool:
    unfinished = ExportTask.objects.unfinished().exists()
    return not unfinished and not ExportMail.objects.exclude(status=MailStatus.SENT).exists()


@pytest.mark.timeout(300)
def test_host_failure_loses_no_export(hosts, users):
    accepted = {request_export(hosts, user, WEB[number % 2]) for number, user in enumerate(users)}

    orphan = hosts.freeze_during_build("worker1")
    wait_until(is_everything_mailed)
    assert hosts.is_building("worker1")  # it has not noticed yet
    hosts.signal("worker1", signal.SIGCONT)
    wait_until(lambda: not hosts.is_building("worker1"))

    tasks = list(ExportTask.objects.select_related("owner"))
    assert {str(task.pk) for task in tasks} == accepted
    assert Counter(task.status for task in tasks) == {Status.SUCCESSFUL: USERS}
    orphan.refresh_from_db()
    assert orphan.crashes == 1
    assert orphan.attempt > 1
    assert ExportEvent.objects.filter(kind=Event.FINISHED).count() == USERS
    builds = {name: len(hosts.builds(name)) for name in WORKERS}
    attempts = Counter(task.attempt for task in tasks)
    print(f"{len(tasks)} requests, builds by host: {builds}, tasks by attempts: {attempts}")
    assert all(builds.values())

    mails = hosts.post_office.mailbox.mails("")
    assert len(mails) == len({mail.message["Message-ID"] for mail in mails}) == USERS
    for task in tasks:
        [mail] = hosts.post_office.mailbox.mails(task.owner.email)
        assert_complete(mail.attachment("posts.json").get_content(), task)
        for web in WEB:
            assert_complete(download(hosts, web, task), task)

    assert set(hosts.store.keys()) == {task.archive.name for task in tasks}
    for host in hosts.all.values():
        assert not (host.var / "archives").exists()
        assert not list(host.var.glob("parts/*"))


def download(hosts: Hosts, web: str, task: ExportTask) -> bytes:
    session = Account(task.owner, hosts.all[web].site_url).client.session
    response: requests.Response = session.get(
        f"{hosts.all[web].site_url}/exports/{task.pk}/download/", timeout=30
    )
    assert response.url.startswith(hosts.store.url)
    return response.content


def assert_complete(content: bytes, task: ExportTask) -> None:
    assert hashlib.sha256(content).hexdigest() == task.archive_sha256
    assert json.loads(content)["posts"] == [
        {"body": post.body, "timestamp": post.created_at.isoformat().replace("+00:00", "Z")}
        for post in task.owner.posts.oldest_first()
    ]
