from datetime import UTC, datetime, timedelta

import pytest
from django_rq import get_queue
from redis.exceptions import ConnectionError as RedisConnectionError

from exports import queue_position as waiting
from exports.models import ExportTask, Status
from exports.models.clock import from_now
from exports.progress import describe
from exports.worker import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(make_user):
    """Three who wait, the first longest."""
    tasks = [
        ExportTask.objects.request(make_user(f"person{n}").pk, rows_total=6000)[0] for n in range(3)
    ]
    for seconds, task in zip((30, 20, 10), tasks, strict=True):
        ExportTask.objects.filter(pk=task.pk).update(created_at=from_now(-seconds))
    return tasks


@pytest.fixture
def workers(monkeypatch):
    def set_count(number):
        monkeypatch.setattr(waiting, "worker_count", lambda: number)

    set_count(1)
    return set_count


def built(owner, rows, seconds):
    """A build of the past that wrote `rows` in `seconds`."""
    began = datetime(2026, 11, 23, tzinfo=UTC)
    ended = began + timedelta(seconds=seconds)
    ExportTask.objects.create(
        owner=owner, status=Status.SUCCESSFUL, rows_done=rows, started_at=began, finished_at=ended
    )


def words(task):
    waiting.tell()
    return describe(ExportTask.objects.get(pk=task.pk).told())["text"]


def test_each_is_told_its_place(line, workers):
    assert [words(task) for task in line] == [f"Number {n} in line" for n in (1, 2, 3)]


def test_the_estimate_is_a_range_from_recent_rates(line, workers, alice):
    built(alice, 6000, 60)
    built(alice, 6000, 120)
    assert words(line[0]) == "Number 1 in line, ready in about 1 to 2 minutes"
    assert words(line[2]) == "Number 3 in line, ready in about 3 to 6 minutes"


def test_more_workers_shorten_it(line, workers, alice):
    built(alice, 6000, 60)
    workers(2)
    assert words(line[2]) == "Number 3 in line, ready in about 2 minutes"


def test_what_is_being_built_counts_for_the_rows_that_are_left(line, workers, alice):
    built(alice, 6000, 60)
    line[0].claim()
    line[0].renew(6000)
    assert words(line[1]) == "Number 1 in line, ready in about 1 minute"


def test_a_short_wait_is_said_to_be_short(line, workers, alice):
    built(alice, 1_000_000, 1)
    assert words(line[2]) == "Number 3 in line, ready in less than a minute"


def test_without_workers_it_says_paused(line, workers):
    workers(0)
    assert words(line[0]).startswith("Paused")


def test_news_that_are_the_same_are_not_written_again(line, workers, django_assert_num_queries):
    waiting.tell()
    with django_assert_num_queries(3):
        waiting.tell()


def test_real_workers_are_counted():
    assert waiting.worker_count() == 0
    queue = get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    assert waiting.worker_count() == 1
    worker.register_death()
    assert waiting.worker_count() == 0


def test_it_says_paused_while_the_broker_is_away(line, monkeypatch):
    def away():
        raise RedisConnectionError

    monkeypatch.setattr(waiting, "worker_count", away)
    assert words(line[0]).startswith("Paused")


def test_a_long_line_is_told_in_tens():
    assert [waiting.rounded(place) for place in (1, 10, 11, 26, 1234)] == [1, 10, 10, 30, 1230]
