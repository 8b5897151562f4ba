"""Hosts whose disk is nearly full: their workers leave builds to others."""

import pytest
from rq import SimpleWorker

from blog.models import AccountDeletion, AccountMail
from exports.models import ExportTask
from imports.models import ImportTask, Phase
from tasks import broker, disk, jobs, queue_position
from tasks.models import MailStatus, Status
from tasks.tests.conftest import reload
from tasks.tests.models import SampleTask
from tasks.worker import Job, Worker

pytestmark = pytest.mark.django_db(transaction=True)


class InProcess(SimpleWorker, Worker):
    """Our worker without its fork."""


@pytest.fixture(autouse=True)
def queue():
    queue = broker._queue()
    queue.connection.flushdb()
    return queue


@pytest.fixture
def full_disk(settings):
    settings.EXPORT_MIN_FREE = 2**60


@pytest.fixture
def free_disk(settings):
    """Return a function that frees space."""
    return lambda: setattr(settings, "EXPORT_MIN_FREE", 0)


@pytest.fixture
def export(alice):
    return ExportTask.objects.request(alice)[0]


@pytest.fixture
def preview(alice):
    return ImportTask.objects.get_or_create_unfinished(alice, source="microblog", upload_bytes=1)[0]


def make_worker(queue, worker_class=InProcess):
    return worker_class([queue], connection=queue.connection)


def work(worker):
    worker.work(burst=True, logging_level="ERROR")


@pytest.mark.parametrize("name", ["export", "preview"])
def test_task_is_handed_back_untouched(request, queue, full_disk, name):
    task = request.getfixturevalue(name)
    jobs.run_task(task._meta.label, str(task.pk), task.attempt)
    task = reload(task)
    assert (task.status, task.attempt, task.crashes, task.error_code) == (Status.READY, 2, 0, "")
    assert queue.get_job_ids() == [task.job_id]


def test_full_worker_takes_only_what_needs_no_disk(
    queue, full_disk, export, preview, bob, make_user, caplog
):
    sample = SampleTask.objects.get_or_create_unfinished(bob)[0]
    deletion = AccountDeletion.objects.get_or_create_unfinished(make_user("leaver"))[0]
    mail = AccountMail.objects.create(user=export.owner, to=export.owner.email)
    for task in (export, sample, preview, deletion):
        jobs.enqueue_task(task)
    jobs.enqueue_mail(mail)
    worker = make_worker(queue)
    for _ in range(3):  # a burst ends when nothing is left that it may take
        work(worker)
    assert reload(mail).status == MailStatus.SENT
    assert {reload(sample).status, reload(deletion).status} == {Status.SUCCESSFUL}
    assert queue.get_job_ids() == [export.job_id, preview.job_id]
    assert (reload(export).attempt, reload(preview).attempt) == (1, 1)
    messages = [record for record in caplog.records if "EXPORT_MIN_FREE" in record.message]
    assert [record.levelname for record in messages] == ["ERROR"]


def test_undo_of_import_needs_no_disk(queue, preview):
    assert preview.needs_disk_space
    preview.phase = Phase.UNDO
    assert not preview.needs_disk_space


def test_worker_goes_on_when_there_is_space(queue, full_disk, free_disk, export):
    jobs.enqueue_task(export)
    worker = make_worker(queue)
    work(worker)
    assert reload(export).status == Status.READY
    free_disk()
    work(worker)
    assert reload(export).status == Status.SUCCESSFUL


def test_waiting_worker_notices_new_space(queue, full_disk, free_disk, export, monkeypatch):
    """Free space while a worker waits, as another process would."""
    jobs.enqueue_task(export)
    monkeypatch.setattr("tasks.worker.DISK_POLL_SECONDS", 0)
    worker = make_worker(queue)
    waits = []

    def has_space():
        waits.append(broker.full_worker_count())
        return len(waits) > 3

    monkeypatch.setattr(disk, "has_space", has_space)
    worker.register_birth()
    job, _queue = worker.dequeue_job_and_maintain_ttl(timeout=1)
    assert (job.id, waits) == (export.job_id, [0, 1, 1, 1])
    assert broker.full_worker_count() == 0


def test_disk_that_fills_during_the_wait_hands_the_build_back(queue, export, monkeypatch):
    jobs.enqueue_task(export)
    answers = iter([True])  # when the worker began to wait for a job
    monkeypatch.setattr(disk, "has_space", lambda: next(answers, False))
    work(make_worker(queue))
    assert (reload(export).status, reload(export).attempt) == (Status.READY, 2)
    assert queue.get_job_ids() == [reload(export).job_id]


def test_job_removed_from_queue_is_not_taken_twice(queue, full_disk, alice, monkeypatch):
    mail = AccountMail.objects.create(user=alice, to=alice.email)
    jobs.enqueue_mail(mail)
    worker = make_worker(queue)
    fetch = Job.fetch

    def take_first(job_id, *args, **options):
        queue.connection.lrem(queue.key, 1, job_id)
        return fetch(job_id, *args, **options)

    monkeypatch.setattr(Job, "fetch", take_first)
    assert worker._take_without_disk() is None


def test_exports_are_paused_without_disk_space(queue, full_disk, export):
    worker = make_worker(queue)
    worker.register_birth()
    assert worker._has_disk_space() is False
    queue_position.update_all()
    assert export.shown_payload()["paused"]
    assert broker.read_state().workers[0].is_disk_full
