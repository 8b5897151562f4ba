"""Puts right what died on the way. Needs the database and the broker, and nobody's memory."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import django_rq
from django.conf import settings
from redis.exceptions import RedisError

from rq.job import Job
from rq.registry import StartedJobRegistry

from blog.models import Notification

from . import archive, jobs
from .models import ExportEvent, ExportMail, ExportTask, Status
from .models.clock import from_now

logger = logging.getLogger(__name__)

KEEP_TASKS_DAYS = 365
KEEP_DETAILS_DAYS = 90
PRUNE_SECONDS = 3600
BATCH = 500


def sweep() -> None:
    """One round of everything but pruning; a step that fails is logged and does not stop the others."""
    for step in (rescue_builds, requeue_builds, rescue_mails, resend_mails, expire_archives):
        _guarded(step)


def prune() -> None:
    """Remove tasks after a year, and timelines, tracebacks and news after 90 days."""
    _guarded(prune_rows)


def rescue_builds() -> None:
    for task in ExportTask.objects.lapsed()[:BATCH]:
        if task.rescue():
            logger.warning("Export %s: its worker fell silent (crash %d).", task.pk, task.crashes)
            if task.status == Status.FAILED:
                logger.error("Export %s failed: its workers died %d times.\n%s", task.pk, task.crashes, task.traceback)
            jobs.hand_out(task)


def requeue_builds() -> None:
    """Give those that no queue knows of a new attempt. The oldest is put in front last, and so comes first."""
    overlooked = list(ExportTask.objects.overlooked().order_by("-created_at")[:BATCH])
    if not overlooked:
        return
    known = _jobs_in_hand()
    for task in overlooked:
        if task.job_id not in known and task.requeue():
            logger.warning("Export %s: its job was lost, queued again.", task.pk)
            jobs.enqueue_export(task, at_front=True)


def rescue_mails() -> None:
    for mail in ExportMail.objects.lapsed()[:BATCH]:
        mail.postpone("The process that sent the mail fell silent.")


def resend_mails() -> None:
    due = list(ExportMail.objects.due().order_by("next_try_at")[:BATCH])
    if not due:
        return
    known = _jobs_in_hand()
    for mail in due:
        if mail.job_id not in known and mail.put_off():
            jobs.enqueue_mail(mail)


def expire_archives() -> None:
    for task in ExportTask.objects.expired()[:BATCH]:
        name = task.archive.name
        if task.expire():
            archive.discard(name)


def prune_rows() -> None:
    old = from_now(-KEEP_DETAILS_DAYS * 86400)
    ExportEvent.objects.filter(created_at__lt=old).delete()
    ExportTask.objects.filter(created_at__lt=old).exclude(traceback="").update(traceback="")
    ExportTask.objects.filter(created_at__lt=from_now(-KEEP_TASKS_DAYS * 86400), archive="").exclude(
        pk__in=ExportTask.objects.unfinished().values("pk")
    ).delete()
    Notification.objects.filter(name__startswith="export:", updated_at__lt=old).delete()


def _jobs_in_hand() -> set[str]:
    """The ids of the jobs that wait in the queue, or that a worker took so lately that it may not have claimed yet.

    That a job's hash exists, or that it is registered as started, proves nothing: both outlive a killed worker.
    """
    queue = django_rq.get_queue("default")
    started = Job.fetch_many(
        StartedJobRegistry(queue=queue).get_job_ids(cleanup=False), queue.connection, serializer=queue.serializer
    )
    return {*queue.get_job_ids(), *(job.id for job in started if job and _just_started(job))}


def _just_started(job: Job) -> bool:
    if job.started_at is None:
        return True
    age = datetime.now(UTC) - job.started_at.replace(tzinfo=UTC)
    return timedelta() <= age < timedelta(seconds=2 * settings.EXPORT_TICK_SECONDS)


def _guarded(step: Callable[[], None]) -> None:
    try:
        step()
    except RedisError as error:
        logger.warning("The broker is away, %s waits: %s", step.__name__, error)
    except Exception:
        logger.exception("Sweeping: %s failed", step.__name__)
