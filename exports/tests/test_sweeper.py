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
from exports import jobs, sweeper
from exports.archive import build as archive
from exports.models import (
    ExportEvent,
    ExportMail,
    ExportTask,
    MailStatus,
    Purpose,
    Status,
    SweeperSign,
)
from exports.models.clock import from_now
from exports.models.task import archive_storage

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(empty_broker):
    return django_rq.get_queue("default")


def age(row, **fields):
    type(row).objects.filter(pk=row.pk).update(
        **{name: from_now(-seconds) for name, seconds in fields.items()}
    )
    row.refresh_from_db()


def swept(row):
    sweeper.sweep()
    row.refresh_from_db()
    return row


def test_a_fresh_request_is_left_alone(task, queue):
    assert swept(task).attempt == 1
    assert queue.get_job_ids() == []


def test_what_was_handed_out_anew_a_moment_ago_is_left_alone(task, queue):
    age(task, created_at=60)
    task.claim()
    age(task, lease_expires_at=1)
    sweeper.rescue_builds()
    queue.connection.delete(queue.key)  # as if a worker had just taken it
    assert swept(task).attempt == 2


def test_a_request_that_no_queue_knows_is_queued_under_a_new_number(task, queue):
    age(task, queued_at=60)
    assert swept(task).attempt == 2
    assert queue.get_job_ids() == [task.job_id]


def test_a_request_that_waits_in_the_queue_is_left_alone(task, queue):
    jobs.enqueue_export(task)
    age(task, queued_at=60)
    assert swept(task).attempt == 1


def test_a_job_hash_alone_proves_nothing(task, queue):
    jobs.enqueue_export(task)
    queue.connection.delete(queue.key)
    age(task, queued_at=60)
    assert swept(task).attempt == 2


def test_a_job_that_was_taken_and_never_begun_is_queued_again(task, queue):
    jobs.enqueue_export(task)
    with queue.connection.pipeline() as pipeline:
        Execution.create(
            queue.fetch_job(task.job_id), ttl=3600, pipeline=pipeline
        )  # and then the work-horse died
        pipeline.delete(queue.key)
        pipeline.execute()
    age(task, queued_at=60)
    assert swept(task).attempt == 2


def test_those_that_wait_in_the_queue_do_not_keep_others_from_being_found(
    task, make_user, queue, monkeypatch
):
    monkeypatch.setattr(sweeper, "BATCH", 2)
    for number in range(4):
        waiting = ExportTask.objects.request(make_user(f"person{number}").pk)[0]
        jobs.enqueue_export(waiting)
        age(waiting, queued_at=60 if number % 2 else 120)
    age(task, queued_at=90)
    assert swept(task).attempt == 2


def test_the_oldest_of_those_that_were_lost_is_first_in_the_queue(task, bob, queue):
    later = ExportTask.objects.request(bob.pk)[0]
    age(task, queued_at=90)
    age(later, queued_at=60)
    sweeper.sweep()
    task.refresh_from_db()
    later.refresh_from_db()
    assert queue.get_job_ids() == [task.job_id, later.job_id]


def test_a_build_whose_worker_fell_silent_is_handed_out_again(task, queue):
    task.claim()
    age(task, lease_expires_at=1)
    assert (swept(task).status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert queue.get_job_ids() == [task.job_id]


def test_a_build_that_goes_on_is_left_alone(task):
    task.claim()
    assert swept(task).status == Status.RUNNING


def test_after_three_crashes_the_owner_is_told(task, queue, caplog):
    for _ in range(3):
        task.claim()
        age(task, lease_expires_at=1)
        swept(task)
    assert task.status == Status.FAILED
    assert queue.get_job_ids()[0] == task.owed_mail.job_id
    assert "ERROR" in caplog.text


def test_a_mail_whose_sender_fell_silent_is_tried_again(task, queue):
    owed = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    owed.claim()
    age(owed, lease_expires_at=1)
    sweeper.sweep()
    owed.refresh_from_db()
    assert owed.status == MailStatus.PENDING
    assert queue.get_job_ids() == [owed.job_id]


def test_a_mail_is_not_queued_twice(task, queue):
    owed = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    for _ in range(2):
        age(owed, next_try_at=1)
        sweeper.sweep()
    assert queue.get_job_ids() == [owed.job_id]


def test_mails_go_before_builds(task, bob, queue):
    jobs.enqueue_export(task)
    owed = ExportMail.objects.create(
        task=ExportTask.objects.request(bob.pk)[0], purpose=Purpose.FAILURE
    )
    sweeper.sweep()
    assert queue.get_job_ids() == [owed.job_id, task.job_id]


@pytest.mark.django_db(transaction=True)
def test_an_expired_archive_goes_file_and_all(finished_task):
    storage, name = finished_task.archive.storage, finished_task.archive.name
    age(finished_task, archive_expires_at=1)
    before = Notification.objects.get().updated_at
    assert not swept(finished_task).is_downloadable
    assert Notification.objects.get().updated_at == before
    assert not storage.exists(name)


def test_what_is_old_is_pruned(task):
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


def test_a_finished_task_is_pruned_after_a_year_and_an_unfinished_one_never(task, bob):
    done = ExportTask.objects.request(bob.pk)[0]
    ExportTask.objects.filter(pk=done.pk).update(status=Status.FAILED)
    ExportTask.objects.update(created_at=from_now(-366 * 86400))
    sweeper.prune()
    assert list(ExportTask.objects.all()) == [task]


def test_a_sign_up_that_nobody_confirmed_is_pruned_after_a_week(task, bob):
    EmailAddress.objects.filter(user=bob).update(verified=False)
    User.objects.update(date_joined=from_now(-8 * 86400))
    sweeper.prune()
    assert list(User.objects.all()) == [task.owner]


def test_sessions_that_have_run_out_are_removed(task, client, monkeypatch):
    monkeypatch.setattr("blog.accounts.sessions.BATCH", 2)
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    begun = Session.objects.get()
    yesterday = timezone.now() - timedelta(days=1)
    baker.make(Session, expire_date=yesterday, session_key=iter("abc"), _quantity=3)
    baker.make(
        UserSession, user=task.owner, session_key=iter("xyz"), created_at=yesterday, _quantity=3
    )
    just_now = baker.make(UserSession, user=task.owner, session_key="soon there")
    sweeper.prune()
    assert Session.objects.get() == begun
    noted = UserSession.objects.values_list("session_key", flat=True)
    assert set(noted) == {begun.session_key, just_now.session_key}


def test_each_round_leaves_a_sign_of_life():
    for _ in range(2):
        SweeperSign.objects.update(seen_at=from_now(-100))
        sweeper.sweep()
        assert SweeperSign.objects.within(10).count() == 1


def test_a_step_that_fails_does_not_stop_the_others(task, monkeypatch, caplog):
    def fail():
        raise RuntimeError("broken step")

    monkeypatch.setattr(sweeper, "rescue_builds", fail)
    age(task, queued_at=60)
    assert swept(task).attempt == 2
    assert "broken step" in caplog.text


def test_part_files_of_builds_that_do_not_run_are_removed(task):
    task.claim()
    running = archive.parts_folder() / f"{task.job_id}.json.part"
    running.touch()
    for name in (
        f"{task.pk}-7.json.part",
        "00000000-0000-0000-0000-000000000000-1.zip.part",
        "stray.part",
    ):
        (archive.parts_folder() / name).touch()
    sweeper.sweep()
    assert list(archive.parts_folder().iterdir()) == [running]
    running.unlink()


@pytest.mark.django_db(transaction=True)
def test_archives_that_no_task_knows_of_are_removed(finished_task):
    storage = archive_storage()
    orphan = storage.save(f"posts/{finished_task.pk}-7.json", ContentFile(b"of a zombie"))
    sweeper.prune()
    assert not storage.exists(orphan)
    assert storage.exists(finished_task.archive.name)


@pytest.mark.django_db(transaction=True)
def test_however_many_archives_there_are_one_query_judges_them(
    finished_task, django_assert_num_queries
):
    sweeper.remove_orphans()  # those of other tests, of either kind
    storage = archive_storage()
    for number in range(3):
        storage.save(f"posts/{uuid4()}-{number}.json", ContentFile(b"of a deleted account"))
    storage.save("posts/by-hand.json", ContentFile(b"of nobody"))
    with django_assert_num_queries(1):
        sweeper.remove_orphans()
    assert storage.listdir("posts")[1] == [finished_task.archive.name.removeprefix("posts/")]


def test_an_archive_that_was_stored_a_moment_ago_is_kept(task):
    task.claim()
    name = archive_storage().save(f"posts/{task.job_id}.json", ContentFile(b"about to be recorded"))
    sweeper.prune()
    assert archive_storage().exists(name)
    archive.discard(name)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_never_waits_for_a_row_that_somebody_has_locked(task):
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
        assert swept(task).attempt == 1
    finally:
        connection.close()  # the next test may wait again
        done.set()
        holder.join()
    assert swept(task).attempt == 2


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_things_once(task, bob, queue):
    tasks = [task, ExportTask.objects.request(bob.pk)[0]]
    for each in tasks:
        each.claim()
        age(each, lease_expires_at=1)
    together = threading.Barrier(4)

    def sweep():
        together.wait()
        sweeper.sweep()
        connections.close_all()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(ExportTask.objects.values_list("attempt", "crashes")) == [(2, 1), (2, 1)]
    assert sorted(queue.get_job_ids()) == sorted(f"{each.pk}-2" for each in tasks)


def test_one_round_by_hand(task, queue):
    age(task, queued_at=60)
    call_command("sweeper", "--once")
    task.refresh_from_db()
    assert queue.get_job_ids() == [task.job_id]
