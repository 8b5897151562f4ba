"""Order of the queue after jobs were lost, on the real broker."""

import django_rq
import pytest

from blog.models import AccountDeletion, AccountMail
from tasks import broker, jobs, sweeper
from tasks.models.clock import from_now

from .models import SampleMail, SampleTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(empty_broker):
    return django_rq.get_queue("default")


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(sweeper, "BATCH_SIZE", 2)


@pytest.fixture
def create_tasks(make_user):
    """Create waiting tasks of two kinds in turn, the oldest first, as old as `ages` in seconds."""

    def create(ages):
        tasks = []
        for age in ages:
            model = (SampleTask, AccountDeletion)[age % 2]
            task = model.objects.get_or_create_unfinished(make_user(f"user{age}"))[0]
            # A task may be much older than the request that it waits for, such as an import.
            model.objects.filter(pk=task.pk).update(
                created_at=from_now(age - 9000),
                requested_at=from_now(-age),
                queued_at=from_now(-age),
            )
            tasks.append(task)
        return tasks

    return create


def sweep_until_enqueued(queue, number):
    for _ in range(number):
        sweeper.enqueue_due_mails()
        sweeper.enqueue_lost_tasks()
        if len(queue) == number:
            return
    raise AssertionError(queue.get_job_ids())


def rows_in_queue(queue):
    """Return the key of each queued job's row."""
    return [job_id.removeprefix("mail-").rpartition("-")[0] for job_id in queue.get_job_ids()]


def keys(rows):
    return [str(row.pk) for row in rows]


@pytest.mark.parametrize("flushes", [1, 2])
def test_oldest_lost_tasks_come_first_whatever_their_kind(
    create_tasks, queue, small_batches, flushes
):
    tasks = create_tasks(range(107, 100, -1))
    for _ in range(flushes):
        queue.empty()
        for model in (SampleTask, AccountDeletion):
            model.objects.update(queued_at=from_now(-60))
        sweep_until_enqueued(queue, 7)
        assert rows_in_queue(queue) == keys(tasks)


def test_requests_between_two_sweeps_come_after_older_ones(create_tasks, queue, small_batches):
    lost = create_tasks(range(105, 100, -1))
    sweeper.enqueue_lost_tasks()
    [new] = create_tasks([3])
    jobs.enqueue_task(new)
    sweep_until_enqueued(queue, 6)
    assert rows_in_queue(queue) == keys([*lost, new])


@pytest.mark.parametrize("position", range(4))
def test_single_lost_task_returns_to_its_place(create_tasks, queue, position):
    tasks = create_tasks([104, 103, 102, 101])
    for task in tasks:
        if task is not tasks[position]:
            jobs.enqueue_task(task)
    sweeper.enqueue_lost_tasks()
    assert rows_in_queue(queue) == keys(tasks)


def test_oldest_lost_mails_come_first_and_before_tasks(create_tasks, alice, queue, small_batches):
    tasks = create_tasks([200, 199])
    jobs.enqueue_task(tasks[0])
    mails = []
    for age in (105, 104, 103, 102, 101):
        times = {"created_at": from_now(-age), "next_try_at": from_now(age - 300)}
        if age % 2:
            mails.append(SampleMail.objects.create(task=tasks[0], **times))
        else:
            mails.append(AccountMail.objects.create(user=alice, to=alice.email, **times))
    sweep_until_enqueued(queue, 7)
    assert rows_in_queue(queue) == keys([*mails, *tasks])


def test_job_without_queued_predecessor_comes_first(create_tasks, queue):
    first, second = create_tasks([102, 101])
    jobs.enqueue_task(second)
    assert jobs.enqueue_behind(first, "gone")
    assert rows_in_queue(queue) == keys([first, second])


def test_job_behind_empty_queue_is_kept(create_tasks, queue):
    [task] = create_tasks([101])
    broker._move_behind(queue, task.job_id, "gone")
    assert queue.get_job_ids() == []
    assert jobs.enqueue_behind(task, "gone")
    assert rows_in_queue(queue) == keys([task])
