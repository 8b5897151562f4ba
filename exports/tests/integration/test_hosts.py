"""Two web hosts and three worker hosts that share no folder, but one database, one broker and one object store."""

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

PEOPLE = 24
POSTS = 240  # each; a build takes two seconds
WEB = ("web1", "web2")
WORKERS = ("worker1", "worker2", "worker3")
SWEEPERS = WORKERS[1:]


class Hosts:
    """Each host is a stack with a folder of its own, of which only some processes run."""

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
        self.all["web1"].run("check")  # which refuses, on several hosts, what they could not share
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

    def is_at_work(self, name: str) -> bool:
        """Whether a host's worker has a work-horse."""
        return len(session_members(self.all[name].children["worker"].pid)) > 1

    def builds(self, name: str) -> list[tuple[str, str]]:
        """The builds that a host has begun: task and attempt."""
        log = (self.all[name].log_dir / "worker.log").read_text()
        return re.findall(r"default: exports\.jobs\.run_export\('(.+)', (\d+)\)", log)

    def cut_off_in_a_build(self, name: str) -> ExportTask:
        """Freeze all of a host: its connections stay open and say nothing. The task that it was building."""
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
                if Postgres(database_url()).is_unlocked(
                    task
                ):  # or its row would stay locked, by a write half done
                    return task
                self.signal(name, signal.SIGCONT)
            time.sleep(0.02)
        raise AssertionError(f"{name} built nothing for 30 seconds.")


@pytest.fixture
def people(make_user: Callable[..., User]) -> list[User]:
    people = [make_user(f"person{number}") for number in range(PEOPLE)]
    for person in people:
        texts = demo.texts(person.username, POSTS, seed=1)
        Post.objects.bulk_create(
            Post(author=person, body=text.body, created_at=text.created_at) for text in texts
        )
    return people


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


def ask(hosts: Hosts, person: User, web: str) -> str:
    """The id of the request that a web host has accepted."""
    return Account(person, hosts.all[web].site_url).request_export()


def all_are_mailed() -> bool:
    unfinished = ExportTask.objects.unfinished().exists()
    return not unfinished and not ExportMail.objects.exclude(status=MailStatus.SENT).exists()


@pytest.mark.timeout(300)
def test_exports_flow_and_a_host_that_is_cut_off_loses_nothing(hosts, people):
    accepted = {ask(hosts, person, WEB[number % 2]) for number, person in enumerate(people)}

    orphan = hosts.cut_off_in_a_build("worker1")
    wait_until(all_are_mailed)
    assert hosts.is_at_work("worker1")  # it does not know yet
    hosts.signal("worker1", signal.SIGCONT)
    wait_until(lambda: not hosts.is_at_work("worker1"))

    tasks = list(ExportTask.objects.select_related("owner"))
    assert {str(task.pk) for task in tasks} == accepted
    assert Counter(task.status for task in tasks) == {Status.SUCCESSFUL: PEOPLE}
    orphan.refresh_from_db()
    assert orphan.crashes == 1
    assert orphan.attempt > 1
    assert ExportEvent.objects.filter(kind=Event.BUILT).count() == PEOPLE
    begun = {name: len(hosts.builds(name)) for name in WORKERS}
    print(
        f"{len(tasks)} requests, builds begun: {begun}, tries: {Counter(task.attempt for task in tasks)}"
    )
    assert all(begun.values())

    mails = hosts.post_office.mailbox.mails("")
    assert len(mails) == len({mail.message["Message-ID"] for mail in mails}) == PEOPLE
    for task in tasks:
        [mail] = hosts.post_office.mailbox.mails(task.owner.email)
        assert_whole(mail.attachment("posts.json").get_content(), task)
        for web in WEB:
            assert_whole(download(hosts, web, task), task)

    assert set(hosts.store.keys()) == {task.archive.name for task in tasks}
    for host in hosts.all.values():
        assert not (host.var / "archives").exists()
        assert not list(host.var.glob("parts/*"))


def download(hosts: Hosts, web: str, task: ExportTask) -> bytes:
    session = Account(task.owner, hosts.all[web].site_url).client.session
    answer: requests.Response = session.get(
        f"{hosts.all[web].site_url}/exports/{task.pk}/download/", timeout=30
    )
    assert answer.url.startswith(hosts.store.url)
    return answer.content


def assert_whole(content: bytes, task: ExportTask) -> None:
    assert hashlib.sha256(content).hexdigest() == task.archive_sha256
    assert json.loads(content)["posts"] == [
        {"body": post.body, "timestamp": post.created_at.isoformat().replace("+00:00", "Z")}
        for post in task.owner.posts.oldest_first()
    ]
