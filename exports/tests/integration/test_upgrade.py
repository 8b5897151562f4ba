"""Jobs that an older version enqueued under function names that no longer exist."""

from collections.abc import Iterator

import pytest
from django.utils import timezone
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from blog.models import AccountMail
from conftest import wait_until
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Status

pytestmark = [pytest.mark.integration, pytest.mark.sqlite]


@pytest.fixture
def queue(stack) -> Iterator[Queue]:
    """Return the queue of a stack that runs a worker, but no sweeper yet."""
    stack.start("broker", "mail", "worker")
    with Redis.from_url(stack.env["REDIS_URL"]) as connection:
        yield Queue("default", connection=connection, serializer=JSONSerializer)


@pytest.fixture
def pending_mail(bob) -> ExportMail:
    failed, _ = ExportTask.objects.request(bob)
    failed.claim()
    failed.fail(ErrorCode.ERROR, "")
    return failed.mails.get()


@pytest.fixture
def account_mail(alice) -> AccountMail:
    """Return an account mail that is due; a new one would be due after a minute."""
    return AccountMail.objects.create(
        user=alice,
        to=alice.email,
        subject="Hello",
        text="Hello",
        html="",
        next_try_at=timezone.now(),
    )


def test_jobs_with_old_names_are_enqueued_again(stack, queue, task, pending_mail, account_mail):
    # The sweeper needs at most three intervals, which is 15 seconds with the default of 5, and the
    # jobs a moment.
    jobs = {
        task.job_id: ("exports.jobs.build_and_mail", str(task.pk), task.attempt),
        pending_mail.job_id: ("exports.jobs.send_export_mail", str(pending_mail.pk)),
        account_mail.job_id: ("blog.jobs.send_account_mail", str(account_mail.pk), 0),
    }
    for job_id, (function, *arguments) in jobs.items():
        queue.enqueue(function, *arguments, job_id=job_id)
    wait_until(lambda: set(queue.failed_job_registry.get_job_ids()) == set(jobs), seconds=15)
    task.refresh_from_db()
    assert task.status == Status.READY

    stack.start("sweeper")

    wait_until(
        lambda: not ExportMail.objects.pending().exists() and not is_unfinished(task), seconds=30
    )
    wait_until(lambda: not AccountMail.objects.pending().exists(), seconds=30)
    assert AccountMail.objects.get().status == MailStatus.SENT
    task.refresh_from_db()
    assert (task.status, task.attempt, task.crashes) == (Status.SUCCESSFUL, 2, 0)
    assert task.events.filter(kind=Event.REQUEUED).count() == 1
    assert set(ExportMail.objects.values_list("status", flat=True)) == {MailStatus.SENT}
    assert len(stack.mailbox.mails("")) == 3


def is_unfinished(task: ExportTask) -> bool:
    return ExportTask.objects.unfinished().filter(pk=task.pk).exists()
