"""Tasks, workers and staff of the tests of exports."""

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django_rq
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core import mail
from rq.job import Job

from blog.models import Post, User
from exports.archive import build as archive
from exports.archive.output import Output
from exports.models import ExportTask
from tasks import jobs
from tasks.models.clock import from_now
from tasks.worker import Worker


class ProgressSpy:
    """Progress that records its reports and never interrupts a build."""

    def __init__(self) -> None:
        self.reported: list[int] = []
        self.waited = 0.0

    def report(self, rows_done: int) -> None:
        self.reported.append(rows_done)

    def wait(self, seconds: float) -> None:
        self.waited += seconds


def build_result(archive: str, rows: int, size: int, sha256: str) -> dict[str, Any]:
    """Return the fields that a finished build sets."""
    return {
        "rows_done": rows,
        "rows_total": rows,
        "archive": archive,
        "archive_bytes": size,
        "archive_sha256": sha256,
        "archive_expires_at": from_now(settings.EXPORT_KEEP_DAYS * 86400),
    }


@pytest.fixture
def progress_spy() -> ProgressSpy:
    return ProgressSpy()


@pytest.fixture
def build_archive(progress_spy: ProgressSpy) -> Callable[[User], bytes]:
    """Build an archive of a user in memory, of their posts unless another kind is given."""

    def build(user: User, kind: str = "posts") -> bytes:
        out = io.BytesIO()
        archive.build(kind, user, Output(out), progress_spy)
        return out.getvalue()

    return build


@pytest.fixture
def create_posts() -> Callable[..., list[Post]]:
    def create(author: User, number: int) -> list[Post]:
        return Post.objects.bulk_create(
            [Post(author=author, body=f"Post {n}") for n in range(number)]
        )

    return create


@pytest.fixture
def task(alice: User) -> ExportTask:
    """Create a READY task of alice without enqueuing a job."""
    return ExportTask.objects.request(alice)[0]


@pytest.fixture
def finished_task(transactional_db: None, task: ExportTask) -> ExportTask:
    """Build alice's task and send its mail."""
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    mail.outbox.clear()
    return task


@pytest.fixture
def break_build(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make every build raise the given error."""

    def replace(error: BaseException) -> None:
        def build(*args: Any) -> None:
            raise error

        monkeypatch.setattr(archive, "build", build)

    return replace


@pytest.fixture
def worker() -> Worker:
    """Register an idle worker with RQ."""
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    worker.heartbeat()
    return worker


@pytest.fixture
def start_job(worker: Worker) -> Callable[[ExportTask], None]:
    """Enqueue a task's job and let the worker start it."""

    def start(task: ExportTask) -> None:
        queue = django_rq.get_queue("default")
        jobs.enqueue_task(task)
        queue.connection.lrem(queue.key, 0, task.job_id)
        worker.prepare_execution(
            Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
        )

    return start


@pytest.fixture
def make_staff(make_user: Callable[..., User]) -> Callable[[str], User]:
    """Create a member of staff with the given role.

    Transactional tests flush the database, so the roles are created here again by the function of
    the migration.
    """

    def make(role: str) -> User:
        import_module("exports.migrations.0005_roles").make_roles(apps, None)
        user = make_user(role.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def support(make_staff: Callable[[str], User]) -> User:
    """Create a member of staff who may view, cancel, and send mails again."""
    return make_staff("Support")


@pytest.fixture
def operator(make_staff: Callable[[str], User]) -> User:
    """Create a member of staff who may perform every action on tasks."""
    return make_staff("Operators")


@pytest.fixture
def staff_without_permissions(make_user: Callable[..., User]) -> User:
    return make_user("helper", is_staff=True)
