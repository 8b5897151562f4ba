"""What an export and each page ask of database and broker, counted: where speed is lost, this is where it shows first.

The figures are exact. Who changes one knows why; docs/performance.md says what a statement and a command cost.
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
from exports import heartbeat, jobs
from exports.models import ExportTask, Status
from exports.worker import Worker

POSTS = 10_000
BYTES = {"sqlite": 690_065, "postgresql": 740_065}
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MOST_COMMANDS = 125  # most of them by RQ: the job is queued, and a worker is born, works and dies
READS, WRITES = ("SELECT",), ("INSERT", "UPDATE", "DELETE")


class InProcess(SimpleWorker, Worker):
    """Our worker without its fork."""


class Statements(list[str]):
    """Those sent meanwhile, by whichever connection; not how transactions begin and end."""

    def __call__(self, execute, sql, params, many, context):
        self.append(sql)
        return execute(sql, params, many, context)

    def reads(self) -> list[str]:
        return [sql for sql in self if sql.startswith(READS)]

    def writes(self) -> list[str]:
        return [sql for sql in self if sql.startswith(WRITES)]


@contextmanager
def counted() -> Iterator[Statements]:
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
    """How many commands anybody has given the broker since this was asked last."""
    broker = django_rq.get_connection("default")
    told = 0

    def count() -> int:
        nonlocal told
        before, told = told, int(broker.info("stats")["total_commands_processed"])
        return told - before - 1  # the question itself

    count()
    return count


@pytest.fixture
def many_posts(alice):
    moments = (BEGINNING + timedelta(seconds=number) for number in range(POSTS))
    Post.objects.bulk_create(
        Post(author=alice, body="Ein Käfer, 一只虫", created_at=moment) for moment in moments
    )


@pytest.mark.django_db(transaction=True)
def test_an_export_of_many_posts_costs_as_much_as_one_of_few(many_posts, alice, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 60)
    task, _ = ExportTask.objects.request(alice.pk, rows_total=POSTS)
    with counted() as statements:
        jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    assert (task.status, task.rows_done, task.archive_bytes) == (
        Status.SUCCESSFUL,
        POSTS,
        BYTES[connection.vendor],
    )
    # The task with its owner, the posts; and, just before it is mailed, all that the mail depends on.
    assert len(statements.reads()) == 3
    # Claimed, built, the mail claimed, sent; three events, three pieces of news and a mail.
    assert len(statements.writes()) == 11


@pytest.mark.django_db(transaction=True)
def test_a_beat_of_the_heart_costs_two_writes(alice, monkeypatch):
    task, _ = ExportTask.objects.request(alice.pk)
    task.claim()
    with counted() as statements:
        assert task.renew(1)
    assert (len(statements.reads()), len(statements.writes())) == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_a_job_gives_the_broker_few_commands(many_posts, alice, commands, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 60)
    task, _ = ExportTask.objects.request(alice.pk, rows_total=POSTS)
    commands()
    jobs.enqueue_export(task)
    queue = django_rq.get_queue("default")
    InProcess([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")
    task.refresh_from_db()
    assert task.status == Status.SUCCESSFUL
    assert commands() <= MOST_COMMANDS


# Statements, and commands at most.
PAGES = [
    ("/", 5, 0),
    ("/explore/", 5, 0),
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
STRANGERS_PAGES = [
    ("/accounts/login/", 0, 0),
    ("/accounts/signup/", 0, 0),
    ("/explore/", 1, 0),
    ("/@alice/", 2, 0),
]


@pytest.fixture
def busy(alice, bob, send_message, create_posts):
    """Alice, who has posts, messages, news, somebody whom she follows, and an export behind her."""
    create_posts(alice, 30)
    create_posts(bob, 30)
    Follow.objects.create(follower=alice, followed=bob)
    for _ in range(3):
        send_message(bob, alice)
    task, _ = ExportTask.objects.request(alice.pk)
    task.cancel()
    return alice


@pytest.mark.parametrize(("path", "reads", "most_commands"), PAGES)
def test_a_page_asks_no_more_than_it_must_and_writes_nothing(
    client, busy, commands, path, reads, most_commands
):
    client.force_login(busy)
    assert_costs(client, commands, path, reads, most_commands)


@pytest.mark.parametrize(("path", "reads", "most_commands"), STRANGERS_PAGES)
def test_so_does_a_page_for_strangers(client, busy, commands, path, reads, most_commands):
    assert_costs(client, commands, path, reads, most_commands)


def assert_costs(client, commands, path, reads, most_commands):
    """When it is asked for a second time: the first notes that somebody is here."""
    assert client.get(path).status_code == 200
    commands()
    with counted() as statements:
        assert client.get(path).status_code == 200
    assert (len(statements.reads()), statements.writes()) == (reads, [])
    assert commands() <= most_commands
