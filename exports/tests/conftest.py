"""Tasks, workers and staff of the tests of exports."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core import mail

from blog.models import Post, User
from exports.archive import build as archive
from exports.archive.output import Output
from exports.models import ExportTask
from tasks import jobs
from tasks.models.clock import from_now


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
