"""An export's parts, ready to be watched or broken."""

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django_rq
import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core import mail
from rq.job import Job

from blog.models import Post, User
from exports import jobs
from exports.archive import build as archive
from exports.models import ExportTask
from exports.worker import Worker


class Onlooker:
    """A progress that is written down and never ends a build."""

    def __init__(self) -> None:
        self.reported: list[int] = []
        self.waited = 0.0

    def report(self, rows_done: int) -> None:
        self.reported.append(rows_done)

    def wait(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture
def onlooker() -> Onlooker:
    return Onlooker()


@pytest.fixture
def read_archive(onlooker: Onlooker) -> Callable[[User], bytes]:
    """Build an archive of somebody's posts, or of another kind, in memory."""

    def read(user: User, kind: str = "posts") -> bytes:
        out = io.BytesIO()
        archive.build(kind, user, archive.Output(out), onlooker)
        return out.getvalue()

    return read


@pytest.fixture
def write_posts() -> Callable[..., list[Post]]:
    def write(author: User, number: int) -> list[Post]:
        return Post.objects.bulk_create(
            [Post(author=author, body=f"Post {n}") for n in range(number)]
        )

    return write


@pytest.fixture
def task(alice: User) -> ExportTask:
    """A request of alice's, not on any queue."""
    return ExportTask.objects.request(alice.pk)[0]


@pytest.fixture
def finished(transactional_db: None, task: ExportTask) -> ExportTask:
    """A request of alice's that was built and mailed."""
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    mail.outbox.clear()
    return task


@pytest.fixture
def broken_build(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let every build raise."""

    def break_it(error: BaseException) -> None:
        def build(*args: Any) -> None:
            raise error

        monkeypatch.setattr(archive, "build", build)

    return break_it


@pytest.fixture
def worker() -> Worker:
    """Alive, as RQ knows it, and idle."""
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    worker.heartbeat()
    return worker


@pytest.fixture
def take(worker: Worker) -> Callable[[ExportTask], None]:
    """Let the worker have an export's job in hand."""

    def begin(task: ExportTask) -> None:
        queue = django_rq.get_queue("default")
        jobs.enqueue_export(task)
        queue.connection.lrem(queue.key, 0, task.job_id)
        worker.prepare_execution(
            Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
        )

    return begin


@pytest.fixture
def in_role(make_user: Callable[..., User]) -> Callable[[str], User]:
    """Make one of the staff with that role; the roles as the migration makes them, which a flush may have removed."""

    def make(role: str) -> User:
        import_module("exports.migrations.0005_roles").make_roles(apps, None)
        user = make_user(role.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def support(in_role: Callable[[str], User]) -> User:
    """Who watches, cancels, and sends mails again."""
    return in_role("Support")


@pytest.fixture
def operator(in_role: Callable[[str], User]) -> User:
    """Who may do all that the desk offers."""
    return in_role("Operators")


@pytest.fixture
def helper(make_user: Callable[..., User]) -> User:
    """Staff without any permission."""
    return make_user("helper", is_staff=True)
