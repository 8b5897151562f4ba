import re

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from blog.models import Notification
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.tests.conftest import build_result
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db


def reread(task):
    """Return another object of the same row, as another process has it."""
    return ExportTask.objects.get(pk=task.pk)


def expire_lease(task):
    ExportTask.objects.filter(pk=task.pk).update(lease_expires_at=from_now(-1))


def test_second_request_returns_unfinished_task(alice, task):
    assert ExportTask.objects.request(alice) == (task, False)
    assert alice.export_tasks.count() == 1


def test_database_refuses_two_unfinished_tasks(alice, task):
    with pytest.raises(IntegrityError):
        ExportTask.objects.create(owner=alice)


def test_new_request_is_possible_after_finish(alice, task):
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    assert ExportTask.objects.request(alice)[1]


def test_only_one_worker_claims_task(task):
    other = reread(task)
    assert task.claim()
    assert not other.claim()
    assert task.status == Status.RUNNING
    assert task.started_at is not None


def test_progress_never_moves_backwards(task):
    task.claim()
    assert task.renew(20)
    assert task.renew(10)
    assert reread(task).rows_done == 20


def test_crash_starts_new_attempt(task):
    task.claim()
    assert task.crash()
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)


def test_third_crash_fails_task_and_creates_mail(task):
    for _ in range(3):
        assert task.claim()
        assert task.crash()
    assert (task.status, task.error_code, task.crashes) == (Status.FAILED, ErrorCode.CRASHED, 3)
    assert task.mails.get().purpose == Purpose.FAILURE


def test_zombie_changes_nothing(task):
    zombie = reread(task)
    zombie.claim()
    reread(task).crash()
    before = ExportTask.objects.filter(pk=task.pk).values().get()
    assert not zombie.renew(999)
    assert not zombie.finish(**build_result("posts/z.json", 999, 1, "0" * 64))
    assert not zombie.fail(ErrorCode.ERROR, "trace")
    assert not zombie.crash()
    assert ExportTask.objects.filter(pk=task.pk).values().get() == before
    assert not task.mails.exists()


def test_rescue_requires_expired_lease(task):
    task.claim()
    assert not reread(task).rescue()
    expire_lease(task)
    assert reread(task).rescue()
    assert reread(task).status == Status.READY


def test_finish_creates_mail_and_sets_expiry(task, settings):
    task.claim()
    assert task.finish(**build_result("posts/x.json", 7, 70, "a" * 64))
    assert (task.status, task.rows_done, task.rows_total, task.archive_bytes) == (
        Status.SUCCESSFUL,
        7,
        7,
        70,
    )
    assert (task.archive_expires_at - task.finished_at).days in (6, 7)
    assert task.pending_mail == task.mails.get()
    assert task.pending_mail.purpose == Purpose.ARCHIVE


def test_lease_uses_database_clock(task, settings):
    task.claim()
    settings.EXPORT_LEASE_SECONDS = 100
    task.renew(1)
    assert ExportTask.objects.filter(
        pk=task.pk, lease_expires_at__gt=from_now(90), lease_expires_at__lt=from_now(101)
    ).exists()


def test_verbs_record_events(task):
    task.claim()
    task.crash()
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    events = list(task.events.values_list("kind", "attempt"))
    assert events == [
        (Event.REQUESTED, 1),
        (Event.CLAIMED, 1),
        (Event.RESCUED, 2),
        (Event.CLAIMED, 2),
        (Event.FINISHED, 2),
    ]


def test_each_transition_notifies_owner(alice, task):
    def notified_status():
        return Notification.objects.get(user=alice, name=f"export:{task.pk}").payload["status"]

    assert notified_status() == Status.READY
    task.claim()
    assert notified_status() == Status.RUNNING
    task.fail(ErrorCode.ERROR, "trace")
    assert notified_status() == Status.FAILED


def test_task_is_in_progress_until_mail_is_sent(alice, task):
    def is_in_progress():
        return alice.export_tasks.in_progress().exists()

    assert is_in_progress()
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    assert is_in_progress()
    mail = task.pending_mail
    mail.claim()
    mail.mark_sent()
    assert not is_in_progress()


def test_only_one_worker_claims_mail(task):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    other = ExportMail.objects.get(pk=mail.pk)
    assert mail.claim()
    assert not other.claim()


def test_mail_retries_with_backoff_and_same_message_id(task, settings):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    message_id, delays = mail.message_id, []
    for _ in range(3):
        mail.claim()
        mail.retry_later("refused")
        delays.append((mail.next_try_at - reread(task).events.last().created_at).total_seconds())
    assert delays == sorted(delays)
    assert delays[-1] > 2 * delays[0]
    assert mail.message_id == message_id
    assert (mail.status, mail.tries, mail.error) == (MailStatus.PENDING, 3, "refused")


def test_mail_is_given_up_after_a_day(task):
    mail = ExportMail.objects.create(
        task=task, purpose=Purpose.ARCHIVE, created_at=from_now(-25 * 3600)
    )
    mail.claim()
    mail.retry_later("refused")
    assert mail.status == MailStatus.GAVE_UP


def test_sender_without_lease_changes_nothing(task):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    mail.claim()
    zombie = ExportMail.objects.get(pk=mail.pk)
    mail.retry_later("lease expired")
    mail.claim()
    assert not zombie.mark_sent()
    assert not zombie.renew()
    assert ExportMail.objects.get(pk=mail.pk).status == MailStatus.SENDING


def test_expire_clears_archive_once(task):
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    assert not task.expire()
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=Now())
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=from_now(-1))
    assert task.expire()
    assert not task.expire()
    assert not task.is_downloadable


# Both indexes serve these queries, and on an empty table their costs are equal.
UNFINISHED_INDEX = "exports_exporttask_(sweep|unfinished)"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (ExportTask.objects.lease_expired, UNFINISHED_INDEX),
        (ExportTask.objects.not_enqueued, UNFINISHED_INDEX),
        (ExportMail.objects.due, "exports_exportmail_sweep"),
        (ExportMail.objects.lease_expired, "exports_exportmail_sweep"),
        (ExportTask.objects.expired, "exports_exporttask_expiry"),
    ],
)
def test_sweeper_queries_use_index(query, index):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert re.search(index, query().explain())
