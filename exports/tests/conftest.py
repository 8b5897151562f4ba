"""Fixtures of exports, workers and staff roles."""

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


class RecordedProgress:
    """Progress of a build that records all calls and never stops the build."""

    def __init__(self) -> None:
        self.reported: list[int] = []
        self.waited = 0.0

    def report(self, rows_done: int) -> None:
        self.reported.append(rows_done)

    def wait(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture
def recorded_progress() -> RecordedProgress:
    return RecordedProgress()


@pytest.fixture
def build_archive(recorded_progress: RecordedProgress) -> Callable[[User], bytes]:
    """Return a function that builds a user's archive in memory."""

    def build(user: User, kind: str = "posts") -> bytes:
        out = io.BytesIO()
        archive.build(kind, user, archive.Output(out), recorded_progress)
        return out.getvalue()

    return build


@pytest.fixture
def create_posts() -> Callable[..., list[Post]]:
    def write(author: User, number: int) -> list[Post]:
        return Post.objects.bulk_create(
            [Post(author=author, body=f"Post {n}") for n in range(number)]
        )

    return write


@pytest.fixture
def task(alice: User) -> ExportTask:
    """Return a READY task of alice's that is not enqueued."""
    return ExportTask.objects.request(alice.pk)[0]


@pytest.fixture
def finished(transactional_db: None, task: ExportTask) -> ExportTask:
    """Return a task of alice's that was built and mailed."""
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    mail.outbox.clear()
    return task


@pytest.fixture
def failing_build(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Return a function that makes all builds raise an error."""

    def fail_with(error: BaseException) -> None:
        def build(*args: Any) -> None:
            raise error

        monkeypatch.setattr(archive, "build", build)

    return fail_with


@pytest.fixture
def worker() -> Worker:
    """Return an idle worker that is registered at RQ."""
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    worker.heartbeat()
    return worker


@pytest.fixture
def start_job(worker: Worker) -> Callable[[ExportTask], None]:
    """Return a function that lets the worker take an export's job."""

    def start(task: ExportTask) -> None:
        queue = django_rq.get_queue("default")
        jobs.enqueue_export(task)
        queue.connection.lrem(queue.key, 0, task.job_id)
        worker.prepare_execution(
            Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
        )

    return start


@pytest.fixture
def make_staff(make_user: Callable[..., User]) -> Callable[[str], User]:
    """Return a function that creates a user in a role.

    Roles come from a migration, but a test that flushes the database deletes them.
    """

    def make(role: str) -> User:
        import_module("exports.migrations.0005_roles").make_roles(apps, None)
        user = make_user(role.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def support(make_staff: Callable[[str], User]) -> User:
    return make_staff("Support")


@pytest.fixture
def operator(make_staff: Callable[[str], User]) -> User:
    return make_staff("Operators")


@pytest.fixture
def plain_staff(make_user: Callable[..., User]) -> User:
    """Return staff without any permission."""
    return make_user("plain_staff", is_staff=True)
