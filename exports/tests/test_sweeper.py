import threading
from datetime import timedelta
from uuid import uuid4

import django_rq
import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from model_bakery import baker
from rq.executions import Execution

from blog.models import Notification, User
from conftest import PASSWORD
from exports.archive import build as archive
from exports.models import (
    ExportEvent,
    ExportMail,
    ExportTask,
    MailStatus,
    Purpose,
    Status,
)
from exports.models.task import archive_storage
from exports.sweeper import remove_orphaned_archives
from tasks import jobs, sweeper
from tasks.models import SweeperHeartbeat
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(empty_broker):
    return django_rq.get_queue("default")


def age(row, **fields):
    type(row).objects.filter(pk=row.pk).update(
        **{name: from_now(-seconds) for name, seconds in fields.items()}
    )
    row.refresh_from_db()


def sweep(row):
    sweeper.sweep()
    row.refresh_from_db()
    return row


def test_new_task_is_not_requeued(task, queue):
    assert sweep(task).attempt == 1
    assert queue.get_job_ids() == []


def test_recently_rescued_task_is_not_requeued(task, queue):
    age(task, created_at=60)
    task.claim()
    age(task, lease_expires_at=1)
    sweeper.rescue_tasks()
    queue.connection.delete(queue.key)  # as if a worker had just taken the job
    assert sweep(task).attempt == 2


def test_task_without_job_is_requeued_as_new_attempt(task, queue):
    age(task, queued_at=60)
    assert sweep(task).attempt == 2
    assert queue.get_job_ids() == [task.job_id]


def test_task_in_queue_is_not_requeued(task, queue):
    jobs.enqueue_task(task)
    age(task, queued_at=60)
    assert sweep(task).attempt == 1


def test_task_with_only_a_job_hash_is_requeued(task, queue):
    jobs.enqueue_task(task)
    queue.connection.delete(queue.key)
    age(task, queued_at=60)
    assert sweep(task).attempt == 2


def test_task_whose_job_never_started_is_requeued(task, queue):
    jobs.enqueue_task(task)
    with queue.connection.pipeline() as pipeline:
        # The work-horse died before it started the job, a minute ago.
        execution = Execution.create(queue.fetch_job(task.job_id), ttl=3600, pipeline=pipeline)
        pipeline.hset(execution.key, "created_at", execution.created_at.timestamp() - 60)
        pipeline.delete(queue.key)
        pipeline.execute()
    age(task, queued_at=60)
    assert sweep(task).attempt == 2


def test_lost_task_is_found_behind_full_batch(task, make_user, queue, monkeypatch):
    monkeypatch.setattr(sweeper, "BATCH_SIZE", 2)
    for number in range(4):
        queued = ExportTask.objects.request(make_user(f"user{number}"))[0]
        jobs.enqueue_task(queued)
        age(queued, queued_at=60 if number % 2 else 120)
    age(task, queued_at=90)
    assert sweep(task).attempt == 2


def test_oldest_lost_task_is_enqueued_first(task, bob, queue):
    later = ExportTask.objects.request(bob)[0]
    age(task, queued_at=90)
    age(later, queued_at=60)
    sweeper.sweep()
    task.refresh_from_db()
    later.refresh_from_db()
    assert queue.get_job_ids() == [task.job_id, later.job_id]


def test_task_with_expired_lease_is_rescued(task, queue):
    task.claim()
    age(task, lease_expires_at=1)
    assert (sweep(task).status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert queue.get_job_ids() == [task.job_id]


def test_task_with_valid_lease_keeps_running(task):
    task.claim()
    assert sweep(task).status == Status.RUNNING


def test_third_crash_enqueues_failure_mail(task, queue, caplog):
    for _ in range(3):
        task.claim()
        age(task, lease_expires_at=1)
        sweep(task)
    assert task.status == Status.FAILED
    assert queue.get_job_ids()[0] == task.pending_mail.job_id
    assert "ERROR" in caplog.text


def test_mail_with_expired_lease_is_retried(task, queue):
    pending = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    pending.claim()
    age(pending, lease_expires_at=1)
    sweeper.sweep()
    pending.refresh_from_db()
    assert pending.status == MailStatus.PENDING
    assert queue.get_job_ids() == [pending.job_id]


def test_due_mail_is_enqueued_once(task, queue):
    pending = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    for _ in range(2):
        age(pending, next_try_at=1)
        sweeper.sweep()
    assert queue.get_job_ids() == [pending.job_id]


def test_mails_are_enqueued_before_builds(task, bob, queue):
    jobs.enqueue_task(task)
    pending = ExportMail.objects.create(
        task=ExportTask.objects.request(bob)[0], purpose=Purpose.FAILURE
    )
    sweeper.sweep()
    assert queue.get_job_ids() == [pending.job_id, task.job_id]


@pytest.mark.django_db(transaction=True)
def test_expired_archive_is_deleted_without_notification(finished_task):
    storage, name = finished_task.archive.storage, finished_task.archive.name
    age(finished_task, archive_expires_at=1)
    before = Notification.objects.get().updated_at
    assert not sweep(finished_task).is_downloadable
    assert Notification.objects.get().updated_at == before
    assert not storage.exists(name)


def test_prune_removes_old_details(task):
    task.claim()
    task.crash("trace")
    age(task, created_at=91 * 86400)
    ExportEvent.objects.update(created_at=from_now(-91 * 86400))
    Notification.objects.update(updated_at=from_now(-91 * 86400))
    sweeper.prune()
    task.refresh_from_db()
    assert task.traceback == ""
    assert not ExportEvent.objects.exists()
    assert not Notification.objects.exists()


def test_prune_keeps_unfinished_tasks(task, bob):
    done = ExportTask.objects.request(bob)[0]
    ExportTask.objects.filter(pk=done.pk).update(status=Status.FAILED)
    ExportTask.objects.update(created_at=from_now(-366 * 86400))
    sweeper.prune()
    assert list(ExportTask.objects.all()) == [task]


def test_prune_removes_unconfirmed_users_after_a_week(task, bob):
    EmailAddress.objects.filter(user=bob).update(verified=False)
    User.objects.update(date_joined=from_now(-8 * 86400))
    sweeper.prune()
    assert list(User.objects.all()) == [task.owner]


def test_prune_removes_ended_sessions(task, client, monkeypatch):
    monkeypatch.setattr("blog.accounts.sessions.BATCH_SIZE", 2)
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    current = Session.objects.get()
    yesterday = timezone.now() - timedelta(days=1)
    baker.make(Session, expire_date=yesterday, session_key=iter("abc"), _quantity=3)
    baker.make(
        UserSession, user=task.owner, session_key=iter("xyz"), created_at=yesterday, _quantity=3
    )
    just_now = baker.make(UserSession, user=task.owner, session_key="not saved yet")
    sweeper.prune()
    assert Session.objects.get() == current
    remaining = UserSession.objects.values_list("session_key", flat=True)
    assert set(remaining) == {current.session_key, just_now.session_key}


def test_each_sweep_records_heartbeat():
    for _ in range(2):
        SweeperHeartbeat.objects.update(last_heartbeat_at=from_now(-100))
        sweeper.sweep()
        assert SweeperHeartbeat.objects.within(10).count() == 1


def test_failing_step_does_not_stop_later_steps(task, monkeypatch, caplog):
    def fail():
        raise RuntimeError("broken step")

    monkeypatch.setattr(sweeper, "rescue_tasks", fail)
    age(task, queued_at=60)
    assert sweep(task).attempt == 2
    assert "broken step" in caplog.text


def test_temporary_files_of_dead_builds_are_removed(task):
    task.claim()
    running = archive.temporary_folder() / f"{task.job_id}.json.part"
    running.touch()
    for name in (
        f"{task.pk}-7.json.part",
        "00000000-0000-0000-0000-000000000000-1.zip.part",
        "stray.part",
    ):
        (archive.temporary_folder() / name).touch()
    sweeper.sweep()
    assert list(archive.temporary_folder().iterdir()) == [running]
    running.unlink()


@pytest.mark.django_db(transaction=True)
def test_orphaned_archives_are_removed(finished_task):
    storage = archive_storage()
    orphan = storage.save(f"posts/{finished_task.pk}-7.json", ContentFile(b"by a zombie"))
    sweeper.prune()
    assert not storage.exists(orphan)
    assert storage.exists(finished_task.archive.name)


@pytest.mark.django_db(transaction=True)
def test_orphans_are_found_with_one_query(finished_task, django_assert_num_queries):
    remove_orphaned_archives()  # archives of other tests
    storage = archive_storage()
    for number in range(3):
        storage.save(f"posts/{uuid4()}-{number}.json", ContentFile(b"of a deleted account"))
    storage.save("posts/by-hand.json", ContentFile(b"of nobody"))
    with django_assert_num_queries(1):
        remove_orphaned_archives()
    assert storage.listdir("posts")[1] == [finished_task.archive.name.removeprefix("posts/")]


def test_archive_of_running_build_is_kept(task):
    task.claim()
    name = archive_storage().save(f"posts/{task.job_id}.json", ContentFile(b"about to be recorded"))
    sweeper.prune()
    assert archive_storage().exists(name)
    archive.discard(name)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_sweeper_skips_locked_rows(task):
    age(task, queued_at=60)
    locked, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            ExportTask.objects.select_for_update().get(pk=task.pk)
            locked.set()
            done.wait(10)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        assert sweep(task).attempt == 1
    finally:
        connection.close()  # resets lock_timeout for the next test
        done.set()
        holder.join()
    assert sweep(task).attempt == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_sweepers_rescue_each_task_once(task, bob, queue):
    tasks = [task, ExportTask.objects.request(bob)[0]]
    for each in tasks:
        each.claim()
        age(each, lease_expires_at=1)
    barrier = threading.Barrier(4)

    def run_sweeper():
        barrier.wait()
        sweeper.sweep()
        connections.close_all()

    threads = [threading.Thread(target=run_sweeper) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(ExportTask.objects.values_list("attempt", "crashes")) == [(2, 1), (2, 1)]
    assert sorted(queue.get_job_ids()) == sorted(f"{each.pk}-2" for each in tasks)


def test_command_sweeps_once(task, queue):
    age(task, queued_at=60)
    call_command("sweeper", "--once")
    task.refresh_from_db()
    assert queue.get_job_ids() == [task.job_id]
