"""What others may have written into the broker, and what our own jobs leave there."""

import uuid

import django_rq
import pytest

from tasks import broker, jobs, sweeper
from tasks.models import Status

from .conftest import reload
from .models import SampleTask

pytestmark = pytest.mark.django_db(transaction=True)

TASK_ID = "0b7b3c1e-6a53-4a7b-9f3e-0d6a0c7a5b11"
FOREIGN_IDS = [
    *("", "-1", "a-job", f"{TASK_ID}-", f"{TASK_ID}-x", f"mail-{TASK_ID}-1"),
    f"{'x' * 36}-1",
    f"{'-' * 4}{TASK_ID.replace('-', '')}-1",  # as long as an id, and UUID() accepts it
    f"{TASK_ID.upper()}-1",
    f"{TASK_ID}-01",
    f"{TASK_ID}-0",
    f"{TASK_ID}-\u0661",  # a digit in Arabic
    f"{TASK_ID}-{2**31}",
    f"{TASK_ID}-{10**30}",
    f"{TASK_ID}--1",
]


@pytest.fixture
def push(empty_broker):
    """Put an id into the queue as another program could."""
    return lambda job_id: empty_broker.rpush(django_rq.get_queue("default").key, job_id)


@pytest.mark.parametrize("job_id", FOREIGN_IDS)
def test_foreign_id_is_not_parsed(job_id):
    assert broker.parse_job_ids([job_id]) == {}


def test_own_id_is_parsed(task):
    assert broker.parse_job_ids([task.job_id]) == {task.job_id: (str(task.pk), 1)}


@pytest.mark.parametrize("job_id", [*FOREIGN_IDS, b"\xff\xfe", b"\xc3-1"])
def test_foreign_id_stops_no_sweep(push, task, job_id):
    push(job_id)
    SampleTask.objects.update(queued_at="2026-01-01T00:00:00Z")
    assert sweeper.sweep() == []
    assert reload(task).job_id in broker.read_state().positions
    assert broker.read_state().error == ""


def test_removed_job_leaves_nothing(empty_broker, task):
    before = set(empty_broker.keys("rq:*"))
    jobs.enqueue_task(task)
    assert task.cancel()
    assert broker.remove_job(task.job_id)
    assert {key for key in empty_broker.keys("rq:*") if task.job_id.encode() in key} == set()
    assert set(empty_broker.keys("rq:*")) - before <= {b"rq:queues"}
    assert reload(task).status == Status.CANCELLED


def test_unknown_job_can_be_removed():
    assert broker.remove_job(f"{uuid.uuid4()}-1")
