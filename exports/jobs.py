"""What RQ runs, and how it gets onto the queue.

A job can run twice, or be lost: the claims of the rows make that harmless.
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

FAILED_JOBS_SECONDS = 7 * 86400  # how long the dashboard keeps them; RQ's own is a year

NO_TASK = UUID(int=0)

# Errors that may well be gone the next time: of the database, the disk, the network, the object store.
PASSING = (DatabaseError, OSError, BotoCoreError, ClientError)


def enqueue_export(task: ExportTask, *, at_front: bool = False) -> bool:
    """Put the current attempt on the queue; False, logged, if the broker cannot be reached. Call it after commit."""
    return _enqueue(task.job_id, run_export, str(task.pk), task.attempt, at_front=at_front)


def enqueue_mail(mail: ExportMail) -> bool:
    """Put a mail before the builds; False, logged, if the broker cannot be reached. Call it after commit."""
    return _enqueue(mail.job_id, deliver_mail, str(mail.pk), at_front=True)


def warm_up() -> None:
    """Load what jobs need and what outlives a fork: a worker does it once, in the place of all its work-horses."""
    delivery.warm_up()
    with suppress(DatabaseError):
        ExportTask.objects.select_related("owner").filter(pk=NO_TASK).first()
    connections.close_all()  # no process may inherit a connection


def run_export(task_id: str, attempt: int) -> None:
    """Build and mail one archive, if that attempt is still to be made."""
    task = ExportTask.objects.select_related("owner").filter(pk=task_id, attempt=attempt).first()
    if task is None or not task.claim():
        logger.info("Export %s, attempt %d: not ours to run.", task_id, attempt)
        return
    if not archive.has_room():
        refuse(task)
        return
    try:
        mail = build(task)
    except LeaseLost:
        logger.warning("Export %s, attempt %d: stopped, the lease was lost.", task_id, attempt)
        return
    except PASSING:
        # The sweeper rescues it when the lease runs out: a pause that gives the trouble time to pass.
        with suppress(DatabaseError):
            task.note(format_exc())
        raise
    except Exception as error:
        code = ErrorCode.TIMEOUT if isinstance(error, JobTimeoutException) else ErrorCode.ERROR
        if task.fail(code, format_exc()):
            hand_out(task)
        raise
    if mail is not None:
        deliver(mail)


def build(task: ExportTask) -> ExportMail | None:
    """Make a claimed task's archive; the mail with it, claimed, or None if another worker has taken over."""
    with archive.part_file(task, delivery.fits) as part:
        with (
            Heartbeat(task.renew, get_current_job(), task.rows_total) as heartbeat,
            translation.override(task.owner_language),
        ):
            built = archive.build(task.kind, task.owner, part, heartbeat)
            name = archive.store(task, part)
        with transaction.atomic():  # one commit, which may wait for the disk
            mail = task.finish(name, built.rows, built.size, built.sha256)
            if mail is not None:
                mail.claim()  # nobody else can: nobody sees it before the commit
    if mail is None:
        archive.discard(name)
    return mail


def refuse(task: ExportTask) -> None:
    """End a task that there is no room for, before it fills the disk."""
    if task.fail(ErrorCode.DISK_FULL, ""):
        logger.error("Export %s refused: less than EXPORT_MIN_FREE bytes are free.", task.pk)
        hand_out(task)


def withdraw(job_id: str) -> bool:
    """Take a job that nobody wants any more off the queue; False if the broker cannot be reached, to no harm."""
    try:
        django_rq.get_queue("default").remove(job_id)
    except RedisError as error:
        logger.warning(
            "Job %s is still on the queue, where it will find nothing to do: %s", job_id, error
        )
        return False
    return True


def deliver_mail(mail_id: str) -> None:
    """Send one mail that is owed, if it still is."""
    mail = ExportMail.objects.select_related("task").filter(pk=mail_id).first()
    if mail is not None and mail.claim():
        deliver(mail)


def deliver(mail: ExportMail) -> None:
    """Send a claimed mail and record it. One that does not go out is tried again later, by the sweeper."""
    try:
        with Heartbeat(lambda _rows: mail.renew()):
            provider_id = delivery.send(mail)
    except delivery.Undeliverable as error:
        mail.give_up(str(error))
        logger.warning("Mail %s will not be sent: %s", mail.pk, error)
    except Exception as error:
        logger.warning("Mail %s, try %d, was not sent: %r", mail.pk, mail.tries, error)
        mail.postpone(repr(error))
    else:
        mail.mark_sent(provider_id)


def work_horse_died(job: Job) -> None:
    """Hand the killed job's work out anew at once, without waiting for its lease to run out."""
    if job.func_name == f"{__name__}.{run_export.__name__}":
        task_id, attempt = job.args
        task = ExportTask.objects.filter(pk=task_id, attempt=attempt).first()
        if task is not None and task.crash("The process that built the archive was killed."):
            log_crash(task)
            hand_out(task)
        elif task is not None and (mail := task.owed_mail):
            _sender_died(mail, tries=1)
    elif job.func_name == f"{__name__}.{deliver_mail.__name__}":
        mail = ExportMail.objects.filter(pk=job.args[0]).first()
        if mail is not None:
            _sender_died(mail, tries=int(job.id.rpartition("-")[2]) + 1)


def _sender_died(mail: ExportMail, tries: int) -> None:
    """Send a mail again, if it was in the dead sender's hands: its number of tries is the one that sender made."""
    if mail.tries == tries and mail.interrupt("The process that sent the mail was killed."):
        enqueue_mail(mail)


def log_crash(task: ExportTask) -> None:
    """At ERROR, which mails ADMINS, once the task is FAILED; never inside a transaction, because mailing takes long."""
    if task.status == Status.FAILED:
        logger.error(
            "Export %s failed: its workers died %d times.\n%s",
            task.pk,
            task.crashes,
            task.traceback,
        )
    else:
        logger.warning("Export %s: its worker died (crash %d).", task.pk, task.crashes)


def hand_out(task: ExportTask) -> bool:
    """Enqueue what a crash or failure left to do: another attempt, or the mail that tells of it.

    False if the broker cannot be reached.
    """
    if task.status == Status.READY:
        return enqueue_export(task, at_front=True)
    mail = task.owed_mail
    return mail is None or enqueue_mail(mail)


def _enqueue(job_id: str, function: Callable[..., None], *args: str | int, at_front: bool) -> bool:
    try:
        django_rq.get_queue("default").enqueue(
            function,
            *args,
            job_id=job_id,
            at_front=at_front,
            failure_ttl=FAILED_JOBS_SECONDS,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        logger.warning("Job %s is not on the queue, the sweeper will see to it: %s", job_id, error)
        return False
    return True
