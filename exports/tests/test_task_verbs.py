import re

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from blog.models import Notification
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.models.clock import from_now

pytestmark = pytest.mark.django_db


def twin(task):
    """The same row, as another process read it."""
    return ExportTask.objects.get(pk=task.pk)


def lapse(task):
    ExportTask.objects.filter(pk=task.pk).update(lease_expires_at=from_now(-1))


def test_a_second_request_is_the_first_one(alice, task):
    assert ExportTask.objects.request(alice.pk) == (task, False)
    assert alice.export_tasks.count() == 1


def test_the_database_refuses_two_unfinished_tasks(alice, task):
    with pytest.raises(IntegrityError):
        ExportTask.objects.create(owner=alice)


def test_a_new_request_is_welcome_once_the_build_has_ended(alice, task):
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    assert ExportTask.objects.request(alice.pk)[1]


def test_only_one_worker_gets_the_claim(task):
    other = twin(task)
    assert task.claim()
    assert not other.claim()
    assert task.status == Status.RUNNING
    assert task.started_at is not None


def test_progress_never_goes_back(task):
    task.claim()
    assert task.renew(20)
    assert task.renew(10)
    assert twin(task).rows_done == 20


def test_a_crash_hands_the_work_out_under_a_new_number(task):
    task.claim()
    assert task.crash()
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)


def test_the_third_crash_fails_the_task_and_owes_a_mail(task):
    for _ in range(3):
        assert task.claim()
        assert task.crash()
    assert (task.status, task.error_code, task.crashes) == (Status.FAILED, ErrorCode.CRASHED, 3)
    assert task.mails.get().purpose == Purpose.FAILURE


def test_a_zombie_changes_nothing(task):
    zombie = twin(task)
    zombie.claim()
    twin(task).crash()
    before = ExportTask.objects.filter(pk=task.pk).values().get()
    assert not zombie.renew(999)
    assert not zombie.note("trace")
    assert not zombie.finish("posts/z.json", 999, 1, "0" * 64)
    assert not zombie.fail(ErrorCode.ERROR, "trace")
    assert not zombie.crash()
    assert ExportTask.objects.filter(pk=task.pk).values().get() == before
    assert not task.mails.exists()


def test_a_rescue_waits_until_the_lease_has_run_out(task):
    task.claim()
    assert not twin(task).rescue()
    lapse(task)
    assert twin(task).rescue()
    assert twin(task).status == Status.READY


def test_finishing_owes_one_mail_and_keeps_the_archive_a_week(task, settings):
    task.claim()
    assert task.finish("posts/x.json", 7, 70, "a" * 64)
    assert (task.status, task.rows_done, task.rows_total, task.archive_bytes) == (
        Status.SUCCESSFUL,
        7,
        7,
        70,
    )
    assert (task.archive_expires_at - task.finished_at).days in (6, 7)
    assert task.owed_mail == task.mails.get()
    assert task.owed_mail.purpose == Purpose.ARCHIVE


def test_leases_are_on_the_databases_clock(task, settings):
    task.claim()
    settings.EXPORT_LEASE_SECONDS = 100
    task.renew(1)
    held = ExportTask.objects.filter(pk=task.pk)
    assert held.filter(
        lease_expires_at__gt=from_now(90), lease_expires_at__lt=from_now(101)
    ).exists()


def test_the_timeline_tells_what_happened(task):
    task.claim()
    task.crash()
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    told = list(task.events.values_list("kind", "attempt"))
    assert told == [
        (Event.REQUESTED, 1),
        (Event.CLAIMED, 1),
        (Event.RESCUED, 2),
        (Event.CLAIMED, 2),
        (Event.BUILT, 2),
    ]


def test_each_move_is_told_to_the_owners_pages(alice, task):
    def told():
        return Notification.objects.get(user=alice, name=f"export:{task.pk}").payload["status"]

    assert told() == Status.READY
    task.claim()
    assert told() == Status.RUNNING
    task.fail(ErrorCode.ERROR, "trace")
    assert told() == Status.FAILED


def test_a_bar_is_shown_until_the_mail_is_out(alice, task):
    def shown():
        return alice.export_tasks.in_progress().exists()

    assert shown()
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    assert shown()
    mail = task.owed_mail
    mail.claim()
    mail.mark_sent()
    assert not shown()


def test_only_one_sender_gets_a_mail(task):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    other = ExportMail.objects.get(pk=mail.pk)
    assert mail.claim()
    assert not other.claim()


def test_a_mail_is_postponed_with_growing_pauses_and_keeps_its_message_id(task, settings):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    message_id, pauses = mail.message_id, []
    for _ in range(3):
        mail.claim()
        mail.postpone("refused")
        pauses.append((mail.next_try_at - twin(task).events.last().created_at).total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]
    assert mail.message_id == message_id
    assert (mail.status, mail.tries, mail.error) == (MailStatus.PENDING, 3, "refused")


def test_a_mail_is_given_up_after_a_day(task):
    mail = ExportMail.objects.create(
        task=task, purpose=Purpose.ARCHIVE, created_at=from_now(-25 * 3600)
    )
    mail.claim()
    mail.postpone("refused")
    assert mail.status == MailStatus.GAVE_UP


def test_a_sender_that_lost_its_lease_records_nothing(task):
    mail = ExportMail.objects.create(task=task, purpose=Purpose.ARCHIVE)
    mail.claim()
    zombie = ExportMail.objects.get(pk=mail.pk)
    mail.postpone("its sender fell silent")
    mail.claim()
    assert not zombie.mark_sent()
    assert not zombie.renew()
    assert ExportMail.objects.get(pk=mail.pk).status == MailStatus.SENDING


def test_an_expired_archive_is_forgotten_once(task):
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    assert not task.expire()
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=Now())
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=from_now(-1))
    assert task.expire()
    assert not task.expire()
    assert not task.is_downloadable


# Two indexes hold the unfinished ones alone: on an empty table each is as good.
UNFINISHED = "exports_exporttask_(sweep|unfinished)"


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: ExportTask.objects.lapsed(), UNFINISHED),
        (lambda: ExportTask.objects.overlooked(), UNFINISHED),
        (lambda: ExportMail.objects.due(), "exports_exportmail_sweep"),
        (lambda: ExportMail.objects.lapsed(), "exports_exportmail_sweep"),
        (lambda: ExportTask.objects.expired(), "exports_exporttask_expiry"),
    ],
)
def test_the_sweeper_reads_by_index(rows, index):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert re.search(index, rows().explain())
