"""Jobs that others write into Redis, on the real broker."""

import json

import pytest
from redis import Redis
from rq import SimpleWorker, get_current_job
from rq.executions import Execution
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from tasks import broker, jobs
from tasks.models import Status
from tasks.worker import Job, Worker

from .conftest import reload

pytestmark = pytest.mark.django_db(transaction=True)


class InProcess(SimpleWorker, Worker):
    """Our worker without its fork."""


@pytest.fixture(autouse=True)
def queue():
    queue = broker._queue()
    queue.connection.flushdb()
    return queue


def work(queue, worker_class=InProcess):
    """Run all jobs in this process, or with `Worker` in forks, as in production."""
    worker = worker_class([queue], connection=queue.connection)
    worker.work(burst=True, logging_level="ERROR")
    return worker


def write_job(queue, function, *args, **fields):
    """Write a job as somebody with access to Redis could."""
    job = queue.enqueue(jobs.run_task, *args, job_id="foreign")
    data = JSONSerializer.dumps([function, None, list(args), {}])
    queue.connection.hset(job.key, mapping={"data": data} | fields)
    return job


FOREIGN = {
    "function": ("os.system", {}),
    "success": ("tasks.jobs.run_task", {"success_callback_name": "os.mkdir"}),
    "failure": ("tasks.jobs.run_task", {"failure_callback_name": "os.mkdir"}),
    "stopped": ("tasks.jobs.run_task", {"stopped_callback_name": "os.mkdir"}),
    "webhook": (
        "tasks.jobs.run_task",
        {"webhooks": json.dumps([{"url": "http://127.0.0.1:9/", "event": "finished"}])},
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_job_is_refused(queue, name, tmp_path, caplog):
    function, fields = FOREIGN[name]
    target = tmp_path / "made"
    write_job(queue, function, f"touch {target}", **fields)
    work(queue, Worker)
    assert not target.exists()
    assert FailedJobRegistry(queue=queue).get_job_ids() == ["foreign"]
    assert "refused" in caplog.text
    assert queue.intermediate_queue.get_job_ids() == []


@pytest.mark.parametrize(
    "function",
    ["subprocess.run", "tasks.jobs.enqueue_mail", "builtins.eval", "tasks.jobs.preload", "", None],
)
def test_only_registered_functions_run(queue, function, tmp_path):
    write_job(queue, function, str(tmp_path))
    work(queue, Worker)
    assert FailedJobRegistry(queue=queue).get_job_ids() == ["foreign"]


def test_method_of_instance_is_refused(queue):
    job = write_job(queue, "tasks.jobs.run_task")
    data = JSONSerializer.dumps(["format", "{0}", ["x"], {}])
    queue.connection.hset(job.key, "data", data)
    work(queue, Worker)
    assert FailedJobRegistry(queue=queue).get_job_ids() == ["foreign"]


def test_refused_job_is_not_retried(queue):
    write_job(queue, "os.system", "true", retries_left="3")
    work(queue, Worker)
    assert FailedJobRegistry(queue=queue).get_job_ids() == ["foreign"]
    assert queue.get_job_ids() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": "yesterday"},
        {"enqueued_at": "\x00"},
        {"status": "dancing"},
        {"timeout": "soon"},
        {"data": b"\x80\x04cos\nsystem\n."},
        {"data": b"[1,2"},
        {"dependency_ids": "{"},
        {"failure_ttl": "x"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_unreadable_job_does_not_stop_the_worker(queue, task, fields):
    write_job(queue, "tasks.jobs.run_task", **fields)
    jobs.enqueue_task(task)
    worker = work(queue)
    assert reload(task).status == Status.SUCCESSFUL
    worker.clean_registries()
    queue.intermediate_queue.cleanup(worker, queue)
    assert queue.intermediate_queue.get_job_ids() == []


def test_abandoned_foreign_job_runs_no_callback(queue, tmp_path):
    target = tmp_path / "made"
    job = write_job(queue, "os.system", str(target), failure_callback_name="os.mkdir")
    loaded = Job.fetch(job.id, connection=queue.connection, serializer=JSONSerializer)
    assert loaded.failure_callback is None
    Execution.create(loaded, ttl=-10, pipeline=queue.connection.pipeline())
    queue.connection.zadd(queue.started_job_registry.key, {f"{job.id}:x": 1})
    queue.started_job_registry.cleanup()
    assert not target.exists()


def test_worker_registers_again_after_flush(queue):
    worker = InProcess([queue], connection=queue.connection)
    worker.register_birth()
    assert broker.worker_count() == 1
    queue.connection.flushall()
    assert broker.worker_count() == 0
    worker.heartbeat()
    assert broker.worker_count() == 1
    assert broker.read_state().workers[0].name == worker.name
    worker.register_death()


def test_working_worker_registers_again_after_flush(queue, task):
    jobs.enqueue_task(task)
    worker = InProcess([queue], connection=queue.connection)
    worker.register_birth()
    job = Job.fetch(task.job_id, connection=queue.connection, serializer=JSONSerializer)
    execution = worker.prepare_execution(job)
    queue.connection.flushall()
    worker.maintain_heartbeats(job, execution)
    assert broker.worker_count() == 1
    assert not queue.connection.exists(job.key)  # it would have no TTL
    worker.register_death()


def test_progress_does_not_recreate_deleted_job(queue):
    job = queue.enqueue(jobs.run_task, job_id="shown")
    progress = broker.JobProgress("shown")
    progress.show(1, 10)
    assert job.get_meta()["progress"] == {"done": 1, "total": 10}
    queue.connection.delete(job.key)
    progress.show(2, 10)
    assert not queue.connection.exists(job.key)


def test_progress_keeps_other_meta(queue):
    job = queue.enqueue(jobs.run_task, job_id="shown", meta={"request_id": "abc"})
    broker.JobProgress("shown").show(1, 10)
    assert job.get_meta() == {"request_id": "abc", "progress": {"done": 1, "total": 10}}


def test_unreadable_job_does_not_stop_jobs_in_hand(queue, task):
    jobs.enqueue_task(task)
    queue.started_job_registry  # noqa: B018
    queue.connection.hset("rq:job:broken", mapping={"started_at": "yesterday", "status": "?"})
    queue.connection.zadd(queue.started_job_registry.key, {"broken:1": 4e9, "broken": 4e9})
    assert broker.jobs_in_hand() == {task.job_id}


def test_started_job_without_hash_is_not_in_hand(queue):
    queue.connection.zadd(queue.started_job_registry.key, {"gone:1": 4e9})
    assert broker.jobs_in_hand() == set()


def take_job(queue, task):
    """Take the only job as a worker does, up to the fork of its work horse."""
    worker = InProcess([queue], connection=queue.connection)
    worker.register_birth()
    queue.connection.lpop(queue.key)
    job = Job.fetch(task.job_id, connection=queue.connection, serializer=JSONSerializer)
    return worker.prepare_execution(job)


def test_job_taken_before_fork_is_in_hand(queue, task):
    jobs.enqueue_task(task)
    take_job(queue, task)
    assert broker.jobs_in_hand() == {task.job_id}


@pytest.mark.parametrize("created_at", ["", "soon", "0", "9e9"])
def test_job_taken_long_ago_is_not_in_hand(queue, task, created_at):
    jobs.enqueue_task(task)
    execution = take_job(queue, task)
    queue.connection.hset(execution.key, "created_at", created_at)
    assert broker.jobs_in_hand() == set()


def test_job_taken_between_two_reads_is_in_hand(queue, task, monkeypatch):
    jobs.enqueue_task(task)
    read = Redis.zrange

    def read_then_take(self, *args):
        result = read(self, *args)
        take_job(queue, task)
        return result

    monkeypatch.setattr(Redis, "zrange", read_then_take)
    assert broker.jobs_in_hand() == {task.job_id}


def test_removed_job_leaves_nothing(queue, task):
    jobs.enqueue_task(task)
    assert broker.remove_job(task.job_id)
    assert queue.get_job_ids() == []
    assert broker.job_exists(task.job_id) is False


def test_failed_jobs_expire(queue, task):
    jobs.enqueue_task(task)
    job = queue.fetch_job(task.job_id)
    assert job.failure_ttl == broker.FAILED_JOB_TTL_SECONDS


def test_current_job_is_none_outside_of_a_job():
    assert get_current_job() is None
    assert broker.current_job_id() is None
