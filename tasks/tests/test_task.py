import pytest
from django.db import connection
from django.utils import timezone

from blog.models import User
from tasks.models import MAX_CRASHES, CoreError, Status, TaskEventKind

from .conftest import crash_until, expire_lease, reload
from .models import SampleTask

pytestmark = pytest.mark.django_db


def kinds(task):
    return list(task.events.values_list("kind", flat=True))


def test_second_request_returns_unfinished_task(alice, task):
    assert SampleTask.objects.get_or_create_unfinished(alice) == (task, False)
    assert kinds(task) == [TaskEventKind.REQUESTED]


def test_request_after_end_creates_new_task(alice, running):
    running.finish()
    assert SampleTask.objects.get_or_create_unfinished(alice)[1]


def test_request_for_deleted_owner_is_refused(alice):
    gone = User.objects.get(pk=alice.pk)
    alice.delete()
    with pytest.raises(User.DoesNotExist):
        SampleTask.objects.get_or_create_unfinished(gone)


def test_only_one_claim_succeeds(task):
    other = reload(task)
    assert task.claim()
    assert not other.claim()
    assert (task.status, reload(task).status) == (Status.RUNNING, Status.RUNNING)
    assert task.started_at is not None
    assert kinds(task) == [TaskEventKind.REQUESTED, TaskEventKind.CLAIMED]


def test_progress_never_decreases(running):
    assert running.renew(7)
    assert running.renew(3)
    assert reload(running).rows_done == running.rows_done == 7


def test_renew_extends_lease(running, settings):
    before = reload(running).lease_expires_at
    settings.EXPORT_LEASE_SECONDS = 100
    assert running.renew(1)
    assert (reload(running).lease_expires_at - before).total_seconds() > 90


def test_crash_starts_new_attempt(running):
    before = running.queued_at
    assert running.crash("killed")
    assert (running.status, running.attempt, running.crashes) == (Status.READY, 2, 1)
    assert running.traceback == "killed"
    assert running.lease_expires_at is None
    assert running.queued_at > before
    assert kinds(running)[-1] == TaskEventKind.RESCUED


def test_crash_with_pause_delays_the_sweeper(running, settings):
    settings.EXPORT_TICK_SECONDS = 5
    assert running.crash(retry_after=60)
    due = (running.queued_at - timezone.now()).total_seconds()
    assert 49 < due < 51  # the sweeper enqueues it ten seconds later
    assert not SampleTask.objects.not_enqueued().exists()


def test_last_crash_fails_the_task(task):
    crash_until(task, MAX_CRASHES)
    assert (task.status, task.error_code) == (Status.FAILED, CoreError.CRASHED)
    assert (task.crashes, task.attempt) == (MAX_CRASHES, MAX_CRASHES)
    assert task.finished_at is not None
    assert task.mails.count() == 1


def test_success_after_crash_clears_traceback(task):
    crash_until(task, 1)
    task.claim()
    assert task.finish()
    assert reload(task).traceback == ""


def test_rescue_keeps_traceback_of_crash(task):
    crash_until(task, 1)
    task.claim()
    expire_lease(task)
    assert reload(task).rescue()
    assert reload(task).traceback == "killed"


def test_zombie_changes_nothing(task):
    zombie = reload(task)
    zombie.claim()
    reload(task).crash()
    before = SampleTask.objects.filter(pk=task.pk).values().get()
    assert not zombie.renew(9)
    assert not zombie.finish(result="wrong")
    assert not zombie.fail(CoreError.ERROR)
    assert not zombie.crash()
    assert not zombie.rescue()
    assert not zombie.release()
    assert not zombie.requeue()
    assert SampleTask.objects.filter(pk=task.pk).values().get() == before
    assert not task.mails.exists()


def test_rescue_waits_for_lease_expiry(running):
    assert not reload(running).rescue()
    expire_lease(running)
    assert reload(running).rescue()
    assert reload(running).status == Status.READY


def test_finish_sets_result_and_saves_one_mail(running):
    assert running.finish(result="counted", rows_done=10)
    row = reload(running)
    assert (row.status, row.result, row.rows_done) == (Status.SUCCESSFUL, "counted", 10)
    assert row.lease_expires_at is None
    assert row.pending_mail == row.mails.get()


def test_failure_saves_one_mail(running):
    assert running.fail("IMPOSSIBLE", "trace")
    row = reload(running)
    assert (row.status, row.error_code, row.traceback) == (Status.FAILED, "IMPOSSIBLE", "trace")
    assert row.mails.count() == 1


@pytest.mark.parametrize("is_running", [False, True])
def test_cancel_ends_unfinished_task_without_mail(task, staff, is_running):
    if is_running:
        task.claim()
    stale = reload(task)
    assert stale.cancel(staff)
    assert reload(task).status == Status.CANCELLED
    assert not task.mails.exists()
    assert task.events.last().actor == staff
    assert not task.renew(1)
    assert not stale.cancel()


def test_cancel_ignores_attempt(running):
    stale = reload(running)
    running.crash()
    running.claim()
    running.renew(4)
    assert stale.cancel()
    assert (stale.attempt, stale.rows_done) == (2, 4)


def test_requeue_starts_new_attempt(task):
    SampleTask.objects.update(queued_at=task.created_at.replace(year=2020))
    assert task.requeue()
    assert (task.attempt, task.crashes) == (2, 0)
    assert task.queued_at.year > 2020


def test_release_is_no_crash(running, staff):
    assert running.release(staff)
    assert (running.status, running.attempt, running.crashes) == (Status.READY, 2, 0)


def test_task_of_closed_account_cannot_run(alice, task):
    alice.is_active = False
    alice.save()
    assert not task.claim()
    assert list(SampleTask.objects.owner_deactivated()) == [task]


def test_closing_the_account_ends_the_lease(alice, running):
    alice.is_active = False
    alice.save()
    assert not running.renew(1)
    assert not running.finish()


def test_task_without_active_owner_may_run(alice, task, monkeypatch):
    monkeypatch.setattr(SampleTask, "requires_active_owner", False)
    alice.is_active = False
    alice.save()
    assert not SampleTask.objects.owner_deactivated().exists()
    assert task.claim()
    assert task.renew(1)
    assert task.finish()


def test_unfinished_tasks_are_not_prunable(task):
    assert not SampleTask.objects.prunable().exists()
    task.cancel()
    assert SampleTask.objects.prunable().exists()


def test_transition_is_one_transaction(running, monkeypatch):
    def fail(self, kind, actor=None):
        raise RuntimeError

    monkeypatch.setattr(SampleTask, "record_event", fail)
    with pytest.raises(RuntimeError):
        running.finish()
    assert reload(running).status == Status.RUNNING
    assert connection.in_atomic_block
