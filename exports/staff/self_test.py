"""A small job that goes the way of every export: database, queue, worker, progress, mail.

Each link leaves its mark in the row of the test, so that the first mark that is missing tells which link is broken.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import django_rq
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError
from rq import get_current_job
from rq.exceptions import NoSuchJobError
from rq.job import Job

from blog.models import User
from exports.heartbeat import Heartbeat
from exports.models import SelfTest
from exports.models.clock import from_now
from exports.models.self_test import STEPS
from microblog import request_ids

from . import queue

STEP_SECONDS = (
    0.05  # all steps together outlast a heartbeat, so that progress is written on the way
)
PATIENCE = timedelta(seconds=10)  # what one link may take
BUSY = timedelta(seconds=60)  # how long busy workers are waited for
LOCK_MS = 3000  # what the database may keep others waiting
KEEP_DAYS = 90


def begin(mail_to: str, actor: User | None = None) -> SelfTest:
    """Write the row and queue the job; a test that could not even begin has its verdict already."""
    test = SelfTest(mail_to=mail_to, actor=actor)
    try:
        with _impatience():
            SelfTest.objects.filter(created_at__lt=from_now(-KEEP_DAYS * 86400)).delete()
            test.save(force_insert=True)
            test.refresh_from_db(fields=["created_at"])
    except DatabaseError as error:
        test.passed, test.verdict = False, _("Database: it cannot be written to (%s).") % error
        return test
    try:
        django_rq.get_queue("default").enqueue(
            run,
            str(test.pk),
            job_id=test.job_id,
            at_front=True,
            job_timeout=120,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        _close(test, False, _no_broker(error))
    return test


def run(test_id: str) -> None:
    """What the worker does."""
    test = SelfTest.objects.filter(pk=test_id).first()
    if test is None or not SelfTest.objects.filter(pk=test_id, started_at=None).update(
        started_at=Now()
    ):
        return
    with Heartbeat(test.count, get_current_job(), STEPS) as heartbeat:
        for step in range(1, STEPS + 1):
            heartbeat.report(step)
            heartbeat.wait(STEP_SECONDS)
    test.count(STEPS)
    try:
        _message(test).send()
    except Exception as error:  # whatever a mail backend raises is what the test wants to know
        SelfTest.objects.filter(pk=test.pk).update(mail_error=f"{type(error).__name__}: {error}")
    else:
        SelfTest.objects.filter(pk=test.pk).update(mailed_at=Now())


def _message(test: SelfTest) -> EmailMessage:
    return EmailMessage(
        settings.EMAIL_SUBJECT_PREFIX + "Self-test",
        f"The self-test {test.pk} of {settings.SITE_URL} has come as far as this mail. All is well.\n",
        to=[test.mail_to],
        headers={"Auto-Submitted": "auto-generated"} | request_ids.mail_headers(),
    )


def judge(test: SelfTest) -> SelfTest:
    """Bring the test up to date, with its verdict once there is one."""
    try:
        test.refresh_from_db()
    except DatabaseError as error:
        test.passed, test.verdict = False, _("Database: it does not answer (%s).") % error
        return test
    if test.passed is None and (sentence := _verdict(test)):
        _close(test, test.mailed_at is not None, sentence)
    return test


def _close(test: SelfTest, passed: bool, verdict: str) -> None:
    """Settle it; a database that cannot be written to, which may be what is broken, does not take the verdict away."""
    test.passed, test.verdict = passed, verdict
    with suppress(DatabaseError), _impatience():
        SelfTest.objects.filter(pk=test.pk, passed=None).update(passed=passed, verdict=verdict)


def _verdict(test: SelfTest) -> str:
    """One line, or nothing as long as there is hope."""
    if test.mailed_at:
        seconds = (test.mailed_at - test.created_at).total_seconds()
        return _("All links hold: database, queue, worker, progress, mail (%(seconds).1f s).") % {
            "seconds": seconds
        }
    if test.mail_error:
        return _("Mail: the mail server did not take it (%s).") % test.mail_error
    if test.started_at is None:
        return _before_the_worker(test)
    if test.steps_done < STEPS:
        return _while_counting(test)
    if timezone.now() - test.started_at > 3 * PATIENCE:
        return _("Mail: the worker is still waiting for the mail server.")
    return ""


def _before_the_worker(test: SelfTest) -> str:
    age = timezone.now() - test.created_at
    if error := _job_error(test):
        return _("Worker: it took the job and failed (%s).") % error
    if age < PATIENCE:
        return ""
    known = queue.read()
    if known.is_away:
        return _no_broker(known.trouble)
    if known.is_paused:
        return _("Worker: the workers are paused. End that with manage.py rqresume.")
    if all(hand.is_silent for hand in known.workers):
        return _("Worker: none is running. Start one with manage.py rqworker.")
    if test.job_id not in known.waiting and test.job_id not in known.started:
        return _("Queue: the job was lost before a worker took it.")
    return _("Worker: all are busy, and none took the job within a minute.") if age > BUSY else ""


def _while_counting(test: SelfTest) -> str:
    steps = {"done": test.steps_done, "all": STEPS}
    if error := _job_error(test):
        return _("Progress: the worker could not go on (%s).") % error
    if test.started_at and timezone.now() - test.started_at > PATIENCE:
        return _("Progress: it stands still at %(done)d of %(all)d.") % steps
    return ""


def _no_broker(error: object) -> str:
    return _("Broker: Redis or Valkey does not answer (%s).") % error


def _job_error(test: SelfTest) -> str:
    """The last line of what the job raised, as far as RQ knows."""
    try:
        job = Job.fetch(test.job_id, django_rq.get_connection("default"), serializer="json")
        result = job.latest_result()
    except (RedisError, NoSuchJobError):
        return ""
    lines = (result.exc_string or "").strip().splitlines() if result else []
    return lines[-1] if lines else ""


@contextmanager
def _impatience() -> Iterator[None]:
    """A transaction that waits for locks no longer than LOCK_MS."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        try:
            if is_sqlite:
                cursor.execute(f"PRAGMA busy_timeout = {LOCK_MS}")
            with transaction.atomic():
                if not is_sqlite:
                    cursor.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
                    cursor.execute(f"SET LOCAL statement_timeout = {LOCK_MS}")
                yield
        finally:
            if is_sqlite:
                seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
                cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
