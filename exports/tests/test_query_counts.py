"""Exact numbers of database queries and broker commands of an export and of each page.

Change a number only for a known reason: docs/performance.md has the costs of queries and commands.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import django_rq
import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from rq import SimpleWorker

from blog.models import Follow, Post
from exports.models import ExportTask, Status
from tasks import heartbeat, jobs
from tasks.worker import Worker

POSTS = 10_000
BYTES = {"sqlite": 690_065, "postgresql": 740_065}
FIRST_POST_AT = datetime(2026, 1, 1, tzinfo=UTC)
MAX_COMMANDS = 130  # mostly by RQ: enqueueing the job, the worker's birth, work and death
READS, WRITES = ("SELECT",), ("INSERT", "UPDATE", "DELETE")


class InProcess(SimpleWorker, Worker):
    """Worker that runs jobs in its own process, without a fork."""


class Statements(list[str]):
    """SQL statements of all connections, without BEGIN and COMMIT."""

    def __call__(self, execute, sql, params, many, context):
        self.append(sql)
        return execute(sql, params, many, context)

    def reads(self) -> list[str]:
        return [sql for sql in self if sql.startswith(READS)]

    def writes(self) -> list[str]:
        return [sql for sql in self if sql.startswith(WRITES)]


@contextmanager
def count_statements() -> Iterator[Statements]:
    statements = Statements()

    def watch(connection, **kwargs):
        if statements not in connection.execute_wrappers:
            connection.execute_wrappers.append(statements)

    connection_created.connect(watch)
    watch(connection)
    try:
        yield statements
    finally:
        connection_created.disconnect(watch)
        connection.execute_wrappers.remove(statements)


@pytest.fixture
def commands() -> Callable[[], int]:
    """Return a function that counts the broker's commands since its last call."""
    broker = django_rq.get_connection("default")
    total = 0

    def count() -> int:
        nonlocal total
        before, total = total, int(broker.info("stats")["total_commands_processed"])
        return total - before - 1  # INFO itself

    count()
    return count


@pytest.fixture
def many_posts(alice):
    times = (FIRST_POST_AT + timedelta(seconds=number) for number in range(POSTS))
    Post.objects.bulk_create(
        Post(author=alice, body="Ein Käfer, 一只虫", created_at=time) for time in times
    )


@pytest.mark.django_db(transaction=True)
def test_export_query_count_is_constant(many_posts, alice, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 60)
    task, _ = ExportTask.objects.request(alice, rows_total=POSTS)
    with count_statements() as statements:
        jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert (task.status, task.rows_done, task.archive_bytes) == (
        Status.SUCCESSFUL,
        POSTS,
        BYTES[connection.vendor],
    )
    # The task with its owner; the posts; the mail, for two notifications and to send it; the task
    # with its owner and address.
    assert len(statements.reads()) == 6
    # Four transitions of task and mail, three events, three notifications and the new mail.
    assert len(statements.writes()) == 11


@pytest.mark.django_db(transaction=True)
def test_heartbeat_costs_two_writes(alice, monkeypatch):
    task, _ = ExportTask.objects.request(alice)
    task.claim()
    with count_statements() as statements:
        assert task.renew(1)
    assert (len(statements.reads()), len(statements.writes())) == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_job_costs_few_broker_commands(many_posts, alice, commands, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 60)
    task, _ = ExportTask.objects.request(alice, rows_total=POSTS)
    commands()
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")
    InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    task.refresh_from_db()
    assert task.status == Status.SUCCESSFUL
    assert commands() <= MAX_COMMANDS


# Path, exact number of SELECTs, maximum of broker commands.
PAGES = [
    ("/", 5, 0),
    ("/explore/", 6, 0),  # one for people to follow, in the sidebar
    ("/@alice/", 8, 0),
    ("/@bob/", 6, 0),
    ("/search/?q=post", 6, 6),
    ("/messages/", 6, 0),
    ("/messages/@bob/", 7, 0),
    ("/notifications/all/", 5, 0),
    ("/notifications/?since=2026-11-23T10:00:00Z", 3, 0),
    ("/exports/", 9, 0),
    ("/exports/new/posts/", 6, 0),
    ("/settings/", 5, 0),
    ("/settings/profile/", 5, 0),
    ("/settings/blocks/", 6, 0),
    ("/accounts/sessions/", 5, 0),
]
VISITOR_PAGES = [
    ("/accounts/login/", 0, 0),
    ("/accounts/signup/", 0, 0),
    ("/explore/", 1, 0),
    ("/@alice/", 2, 0),
]


@pytest.fixture
def active_user(alice, bob, send_message, create_posts):
    """Return alice, with posts, messages, notifications, a follow and a cancelled export."""
    create_posts(alice, 30)
    create_posts(bob, 30)
    Follow.objects.create(follower=alice, followed=bob)
    for _ in range(3):
        send_message(bob, alice)
    task, _ = ExportTask.objects.request(alice)
    task.cancel()
    return alice


@pytest.mark.parametrize(("path", "reads", "max_commands"), PAGES)
def test_page_query_count_of_signed_in_user(
    client, active_user, commands, path, reads, max_commands
):
    client.force_login(active_user)
    assert_costs(client, commands, path, reads, max_commands)


@pytest.mark.parametrize(("path", "reads", "max_commands"), VISITOR_PAGES)
def test_page_query_count_of_visitor(client, active_user, commands, path, reads, max_commands):
    assert_costs(client, commands, path, reads, max_commands)


def assert_costs(client, commands, path, reads, max_commands):
    """Check the second request: the first one also saves when the user was last seen."""
    assert client.get(path).status_code == 200
    commands()
    with count_statements() as statements:
        assert client.get(path).status_code == 200
    assert (len(statements.reads()), statements.writes()) == (reads, [])
    assert commands() <= max_commands
