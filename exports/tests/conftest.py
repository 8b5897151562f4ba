"""An export's parts, ready to be watched or broken."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail

from blog.models import Post, User
from exports import archive, jobs
from exports.models import ExportTask


class Onlooker:
    """A progress that is written down and never ends a build."""

    def __init__(self) -> None:
        self.total = 0
        self.reported: list[int] = []
        self.waited = 0.0

    def start(self, rows_total: int) -> None:
        self.total = rows_total

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
        archive.build(kind, user, out, onlooker)
        return out.getvalue()

    return read


@pytest.fixture
def write_posts() -> Callable[..., list[Post]]:
    def write(author: User, number: int) -> list[Post]:
        return Post.objects.bulk_create([Post(author=author, body=f"Post {n}") for n in range(number)])

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
