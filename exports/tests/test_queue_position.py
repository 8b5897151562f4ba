from datetime import UTC, datetime, timedelta

import pytest
from django_rq import get_queue
from redis.exceptions import ConnectionError as RedisConnectionError

from exports.models import ExportTask, Status
from exports.progress import render_progress
from tasks import broker, queue_position
from tasks.models.clock import from_now
from tasks.worker import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting_tasks(make_user):
    """Return three READY tasks, the oldest first."""
    tasks = [
        ExportTask.objects.request(make_user(f"user{n}"), rows_total=6000)[0] for n in range(3)
    ]
    for seconds, task in zip((30, 20, 10), tasks, strict=True):
        ExportTask.objects.filter(pk=task.pk).update(created_at=from_now(-seconds))
    return tasks


@pytest.fixture
def workers(monkeypatch):
    def set_count(number):
        monkeypatch.setattr(broker, "worker_count", lambda: number)

    set_count(1)
    return set_count


def create_finished_task(owner, rows, seconds):
    started = datetime(2026, 11, 23, tzinfo=UTC)
    finished = started + timedelta(seconds=seconds)
    ExportTask.objects.create(
        owner=owner,
        status=Status.SUCCESSFUL,
        rows_done=rows,
        started_at=started,
        finished_at=finished,
    )


def status_text(task):
    queue_position.update_all()
    return render_progress(ExportTask.objects.get(pk=task.pk).last_payload())["text"]


def test_each_waiting_task_has_its_position(waiting_tasks, workers):
    assert [status_text(task) for task in waiting_tasks] == [
        f"Number {n} in line" for n in (1, 2, 3)
    ]


def test_estimate_is_range_from_recent_rates(waiting_tasks, workers, alice):
    create_finished_task(alice, 6000, 60)
    create_finished_task(alice, 6000, 120)
    assert status_text(waiting_tasks[0]) == "Number 1 in line, ready in about 1 to 2 minutes"
    assert status_text(waiting_tasks[2]) == "Number 3 in line, ready in about 3 to 6 minutes"


def test_estimate_counts_workers(waiting_tasks, workers, alice):
    create_finished_task(alice, 6000, 60)
    workers(2)
    assert status_text(waiting_tasks[2]) == "Number 3 in line, ready in about 2 minutes"


def test_estimate_counts_remaining_rows_of_build(waiting_tasks, workers, alice):
    create_finished_task(alice, 6000, 60)
    waiting_tasks[0].claim()
    waiting_tasks[0].renew(6000)
    assert status_text(waiting_tasks[1]) == "Number 1 in line, ready in about 1 minute"


def test_short_estimate_is_less_than_a_minute(waiting_tasks, workers, alice):
    create_finished_task(alice, 1_000_000, 1)
    assert status_text(waiting_tasks[2]) == "Number 3 in line, ready in less than a minute"


def test_queue_without_workers_is_paused(waiting_tasks, workers):
    workers(0)
    assert status_text(waiting_tasks[0]).startswith("Paused")


def test_unchanged_position_is_not_written_again(waiting_tasks, workers, django_assert_num_queries):
    queue_position.update_all()
    # Four kinds of tasks, recent rates, and notifications.
    with django_assert_num_queries(6):
        queue_position.update_all()


def test_worker_count_follows_birth_and_death():
    assert broker.worker_count() == 0
    queue = get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    assert broker.worker_count() == 1
    worker.register_death()
    assert broker.worker_count() == 0


def test_queue_is_paused_while_broker_is_down(waiting_tasks, monkeypatch):
    def unreachable():
        raise RedisConnectionError

    monkeypatch.setattr(broker, "worker_count", unreachable)
    assert status_text(waiting_tasks[0]).startswith("Paused")


def test_later_positions_are_rounded_to_tens():
    assert [queue_position.rounded_position(position) for position in (1, 10, 11, 26, 1234)] == [
        1,
        10,
        10,
        30,
        1230,
    ]
