"""Two hosts with workers, of which one has hardly any disk space."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from blog.models import AccountDeletion, User
from conftest import database_url, wait_until
from dev import broker as broker_server
from dev.stack import Child, Stack, free_port
from exports.models import ExportTask, Status
from tasks.models import TaskEventKind

pytestmark = [pytest.mark.integration, pytest.mark.sqlite]

FULL = str(10**15)


@pytest.fixture
def users(make_user: Callable[..., User]) -> list[User]:
    return [make_user(f"user{number}") for number in range(6)]


def test_worker_without_space_leaves_builds_to_others(transactional_db, users, tmp_path: Path):
    with ExitStack() as services:
        port = free_port()
        command = broker_server.server_command(broker_server.socket_path(tmp_path), tmp_path, port)
        services.callback(Child("broker", command, {}, tmp_path / "broker.log").kill)
        shared = {
            "DATABASE_URL": database_url(),
            "REDIS_URL": f"redis://127.0.0.1:{port}",
            "SECRET_KEY": settings.SECRET_KEY,
        }
        broker_server.wait_until_ready(shared["REDIS_URL"])
        full = services.enter_context(Stack(tmp_path / "full", EXPORT_MIN_FREE=FULL, **shared))
        roomy = services.enter_context(Stack(tmp_path / "roomy", EXPORT_MIN_FREE="0", **shared))
        full.start("worker", "sweeper")
        wait_until(lambda: "EXPORT_MIN_FREE" in log(full))
        exports = [ExportTask.objects.request(user)[0] for user in users]
        leaver = User.objects.create_user("leaver", "leaver@microblog.example")
        deletion = AccountDeletion.objects.get_or_create_unfinished(leaver)[0]

        wait_until(lambda: AccountDeletion.objects.get(pk=deletion.pk).status == Status.SUCCESSFUL)
        assert {task.status for task in ExportTask.objects.all()} == {Status.READY}
        roomy.start("worker")
        wait_until(lambda: ExportTask.objects.filter(status=Status.SUCCESSFUL).count() == 6)
        assert "run_task('exports.ExportTask'" not in log(full)
        for task in exports:
            assert task.events.filter(kind=TaskEventKind.CLAIMED).count() == 1


def log(stack: Stack) -> str:
    return (stack.log_dir / "worker.log").read_text()
