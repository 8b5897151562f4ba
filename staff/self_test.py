"""Self-test: a small job that takes the way of a task through every component.

Database, queue, worker, progress and mail each leave a mark in the row of the test, so the first
mark that is missing shows which component is broken. It is not a `Task`, because the core would
repair what the test is to find: it would enqueue a lost job again, and retry after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from microblog import request_ids
from tasks import broker, jobs
from tasks.heartbeat import Heartbeat
from tasks.models.clock import from_now

from .models import STEPS, SelfTest

if TYPE_CHECKING:
    from blog.models import User

STEP_SECONDS = 0.05  # all steps together outlast a heartbeat, so progress is written on the way
STEP_TIMEOUT = timedelta(seconds=10)  # for one component
BUSY_TIMEOUT = timedelta(seconds=60)  # for a free worker
JOB_TIMEOUT_SECONDS = 120
LOCK_TIMEOUT_MS = 3000  # for the database
RETENTION_DAYS = 90


def start(mail_to: str, actor: User | None = None) -> SelfTest:
    """Save and enqueue a new test; it has a verdict already if that fails."""
    test = SelfTest(mail_to=mail_to, actor=actor)
    try:
        with _short_lock_timeout():
            SelfTest.objects.filter(created_at__lt=from_now(-RETENTION_DAYS * 86400)).delete()
            test.save(force_insert=True)
            test.refresh_from_db(fields=["created_at"])
    except DatabaseError as error:
        test.passed, test.verdict = False, _("Database: it cannot be written to (%s).") % error
        return test
    is_enqueued = broker.enqueue(
        test.job_id, run, str(test.pk), at_front=True, timeout_seconds=JOB_TIMEOUT_SECONDS
    )
    if not is_enqueued:
        _save_verdict(test, passed=False, verdict=_broker_verdict(broker.read_state()))
    return test


@jobs.register_job
def run(test_id: str) -> None:
    test = SelfTest.objects.filter(pk=test_id).first()
    if test is None or not SelfTest.objects.filter(pk=test_id, started_at=None).update(
        started_at=Now()
    ):
        return
    with Heartbeat(
        test.record_progress, job_id=broker.current_job_id(), rows_total=STEPS
    ) as heartbeat:
        for step in range(1, STEPS + 1):
            heartbeat.report(step)
            heartbeat.wait(STEP_SECONDS)
    test.record_progress(STEPS)
    try:
        _compose_mail(test).send()
    except Exception as error:  # any error of any mail backend is a result of the test
        SelfTest.objects.filter(pk=test.pk).update(mail_error=f"{type(error).__name__}: {error}")
    else:
        SelfTest.objects.filter(pk=test.pk).update(mailed_at=Now())


def _compose_mail(test: SelfTest) -> EmailMessage:
    return EmailMessage(
        subject=settings.EMAIL_SUBJECT_PREFIX + "Self-test",
        body=(
            f"The self-test {test.pk} of {settings.SITE_URL} has come as far as this mail. "
            "All is well.\n"
        ),
        to=[test.mail_to],
        headers={"Auto-Submitted": "auto-generated"} | request_ids.mail_headers(),
    )


def update_verdict(test: SelfTest) -> SelfTest:
    try:
        test.refresh_from_db()
    except DatabaseError as error:
        test.passed, test.verdict = False, _("Database: it does not answer (%s).") % error
        return test
    if test.passed is None and (verdict := _find_verdict(test)):
        _save_verdict(test, passed=test.mailed_at is not None, verdict=verdict)
    return test


def _save_verdict(test: SelfTest, *, passed: bool, verdict: str) -> None:
    """Set the verdict even if it cannot be saved: the database may be the broken component."""
    test.passed, test.verdict = passed, verdict
    with suppress(DatabaseError), _short_lock_timeout():
        SelfTest.objects.filter(pk=test.pk, passed=None).update(passed=passed, verdict=verdict)


def _find_verdict(test: SelfTest) -> str:
    """Return one line, or an empty string while the test is still running."""
    if test.mailed_at:
        seconds = (test.mailed_at - test.created_at).total_seconds()
        return _("All links hold: database, queue, worker, progress, mail (%(seconds).1f s).") % {
            "seconds": seconds
        }
    if test.mail_error:
        return _("Mail: the mail server did not take it (%s).") % test.mail_error
    if test.started_at is None:
        return _queue_or_worker_verdict(test)
    if test.steps_done < STEPS:
        return _progress_verdict(test)
    if timezone.now() - test.started_at > 3 * STEP_TIMEOUT:
        return _("Mail: the worker is still waiting for the mail server.")
    return ""


def _queue_or_worker_verdict(test: SelfTest) -> str:
    age = timezone.now() - test.created_at
    if error := broker.job_error(test.job_id):
        return _("Worker: it took the job and failed (%s).") % error
    if age < STEP_TIMEOUT:
        return ""
    state = broker.read_state()
    if state.is_unreachable:
        return _broker_verdict(state)
    if state.is_paused:
        return _("Worker: the workers are paused. End that with manage.py rqresume.")
    if all(worker.is_silent for worker in state.workers):
        return _("Worker: none is running. Start one with manage.py rqworker.")
    if test.job_id not in state.positions and test.job_id not in state.started_job_ids:
        return _("Queue: the job was lost before a worker took it.")
    if age > BUSY_TIMEOUT:
        return _("Worker: all are busy, and none took the job within a minute.")
    return ""


def _progress_verdict(test: SelfTest) -> str:
    if error := broker.job_error(test.job_id):
        return _("Progress: the worker could not go on (%s).") % error
    if test.started_at and timezone.now() - test.started_at > STEP_TIMEOUT:
        steps = {"done": test.steps_done, "all": STEPS}
        return _("Progress: it stands still at %(done)d of %(all)d.") % steps
    return ""


def _broker_verdict(state: broker.QueueState) -> str:
    return _("Broker: Redis or Valkey does not answer (%s).") % state.error


@contextmanager
def _short_lock_timeout() -> Iterator[None]:
    """Run a transaction that waits at most LOCK_TIMEOUT_MS for locks."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        try:
            if is_sqlite:
                cursor.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
            with transaction.atomic():
                if not is_sqlite:
                    cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                    cursor.execute(f"SET LOCAL statement_timeout = {LOCK_TIMEOUT_MS}")
                yield
        finally:
            if is_sqlite:
                seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
                cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
