"""RQ jobs of exports and their mails, and how they are enqueued.

Jobs are idempotent: RQ may run one twice or lose it, but each claims its row first, and the
sweeper enqueues lost work again.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from traceback import format_exc
from uuid import UUID

import django_rq
from botocore.exceptions import BotoCoreError, ClientError
from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.utils import translation
from redis.exceptions import RedisError
from rq import get_current_job
from rq.job import Job
from rq.timeouts import JobTimeoutException

from microblog import request_ids

from . import delivery
from .archive import build as archive
from .heartbeat import Heartbeat, LeaseLost
from .models import ErrorCode, ExportMail, ExportTask, Status

logger = logging.getLogger(__name__)

FAILURE_TTL_SECONDS = 7 * 86400  # RQ's default of a year would fill the dashboard

NO_TASK = UUID(int=0)

# Database, disk and network (or object store) errors, which a later attempt may not meet again.
TRANSIENT_ERRORS = (DatabaseError, OSError, BotoCoreError, ClientError)


def enqueue_export(task: ExportTask, *, at_front: bool = False) -> bool:
    """Enqueue the current attempt after commit; log and return False if the broker is down."""
    return _enqueue(task.job_id, run_export, str(task.pk), task.attempt, at_front=at_front)


def enqueue_mail(mail: ExportMail) -> bool:
    return _enqueue(mail.job_id, deliver_mail, str(mail.pk), at_front=True)


def enqueue_next(task: ExportTask) -> bool:
    """Enqueue the next step after a crash or failure: a new attempt, or the pending mail.

    Return False if the broker is down.
    """
    if task.status == Status.READY:
        return enqueue_export(task, at_front=True)
    mail = task.pending_mail
    return mail is None or enqueue_mail(mail)


def remove_job(job_id: str) -> bool:
    try:
        django_rq.get_queue("default").remove(job_id)
    except RedisError as error:
        # Harmless: the job will not be able to claim its row.
        logger.warning("Job %s stays in the queue: %s", job_id, error)
        return False
    return True


def preload() -> None:
    """Load code, templates and translations before the worker forks, once for all jobs."""
    delivery.preload()
    with suppress(DatabaseError):
        ExportTask.objects.select_related("owner").filter(pk=NO_TASK).first()
    connections.close_all()  # forked processes must not share a connection


def run_export(task_id: str, attempt: int) -> None:
    task = ExportTask.objects.select_related("owner").filter(pk=task_id, attempt=attempt).first()
    if task is None or not task.claim():
        logger.info("Export %s, attempt %d: nothing to do.", task_id, attempt)
        return
    if not archive.has_disk_space():
        fail_disk_full(task)
        return
    try:
        mail = build_archive(task)
    except LeaseLost:
        logger.warning("Export %s, attempt %d: lease lost, stopped.", task_id, attempt)
        return
    except TRANSIENT_ERRORS:
        # The sweeper rescues the task when its lease expires, so the lease is the backoff.
        with suppress(DatabaseError):
            task.record_traceback(format_exc())
        raise
    except Exception as error:
        code = ErrorCode.TIMEOUT if isinstance(error, JobTimeoutException) else ErrorCode.ERROR
        if task.fail(code, format_exc()):
            enqueue_next(task)
        raise
    if mail is not None:
        deliver_claimed(mail)


def build_archive(task: ExportTask) -> ExportMail | None:
    """Build a claimed task's archive and finish the task.

    Return its mail, already claimed; None if the lease was lost meanwhile.
    """
    with archive.open_archive_file(task, delivery.is_attachable) as part:
        with (
            Heartbeat(task.renew, get_current_job(), task.rows_total) as heartbeat,
            translation.override(task.owner_language),
        ):
            built = archive.build(task.kind, task.owner, part, heartbeat)
            name = archive.store(task, part)
        with transaction.atomic():  # one commit for both rows, because each waits for the disk
            mail = task.finish(name, built.rows, built.size, built.sha256)
            if mail is not None:
                mail.claim()  # always succeeds: the row is not visible before the commit
    if mail is None:
        archive.discard(name)
    return mail


def fail_disk_full(task: ExportTask) -> None:
    if task.fail(ErrorCode.DISK_FULL, ""):
        logger.error("Export %s failed: less than EXPORT_MIN_FREE bytes are free.", task.pk)
        enqueue_next(task)


def deliver_mail(mail_id: str) -> None:
    mail = ExportMail.objects.select_related("task").filter(pk=mail_id).first()
    if mail is not None and mail.claim():
        deliver_claimed(mail)


def deliver_claimed(mail: ExportMail) -> None:
    try:
        with Heartbeat(lambda _rows: mail.renew()):
            provider_id = delivery.send(mail)
    except delivery.Undeliverable as error:
        mail.give_up(str(error))
        logger.warning("Mail %s is undeliverable: %s", mail.pk, error)
    except Exception as error:
        logger.warning("Mail %s, try %d, failed: %r", mail.pk, mail.tries, error)
        mail.retry_later(repr(error))  # enqueued by the sweeper
    else:
        mail.mark_sent(provider_id)


def recover_killed_job(job: Job) -> None:
    """Retry a killed job's work at once, without waiting for its lease to expire."""
    if job.func_name == f"{__name__}.{run_export.__name__}":
        task_id, attempt = job.args
        task = ExportTask.objects.filter(pk=task_id, attempt=attempt).first()
        if task is not None and task.crash("The process that built the archive was killed."):
            log_crash(task)
            enqueue_next(task)
        elif task is not None and (mail := task.pending_mail):
            _retry_killed_mail(mail, tries=1)
    elif job.func_name == f"{__name__}.{deliver_mail.__name__}":
        mail = ExportMail.objects.filter(pk=job.args[0]).first()
        if mail is not None:
            _retry_killed_mail(mail, tries=int(job.id.rpartition("-")[2]) + 1)


def _retry_killed_mail(mail: ExportMail, tries: int) -> None:
    """Retry a mail unless another worker claimed it since; `tries` is the killed worker's."""
    if mail.tries == tries and mail.retry_now("The process that sent the mail was killed."):
        enqueue_mail(mail)


def log_crash(task: ExportTask) -> None:
    """Log a crash, and the last one at ERROR, which mails ADMINS.

    Mailing takes long, so call it outside of transactions.
    """
    if task.status == Status.FAILED:
        logger.error(
            "Export %s failed after %d crashes.\n%s", task.pk, task.crashes, task.traceback
        )
    else:
        logger.warning("Export %s: its worker died (crash %d).", task.pk, task.crashes)


def _enqueue(job_id: str, function: Callable[..., None], *args: str | int, at_front: bool) -> bool:
    try:
        django_rq.get_queue("default").enqueue(
            function,
            *args,
            job_id=job_id,
            at_front=at_front,
            failure_ttl=FAILURE_TTL_SECONDS,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        logger.warning("Job %s was not enqueued, the sweeper will do so: %s", job_id, error)
        return False
    return True
