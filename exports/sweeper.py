"""Puts right what died on the way. Needs the database and the broker, and nobody's memory.

Any number may run at once: each row is taken in a transaction of its own, rows that somebody else has locked are passed
over, and every change is conditional.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TypeVar
from uuid import UUID

import django_rq
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Model, Q
from redis.exceptions import RedisError
from rq.job import Job
from rq.registry import StartedJobRegistry

from blog.accounts import jobs as account_jobs
from blog.accounts import sessions
from blog.models import AccountMail, Notification, User
from microblog import request_ids

from . import jobs
from . import queue_position as waiting
from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportEvent, ExportMail, ExportTask, Status, SweeperSign
from .models.clock import from_now
from .models.rows import BATCH, one_by_one
from .models.task import archive_storage

Row = TypeVar("Row", bound=Model)

logger = logging.getLogger(__name__)

KEEP_TASKS_DAYS = 365
KEEP_DETAILS_DAYS = 90
PRUNE_SECONDS = 3600


def sweep() -> None:
    """One round of everything but pruning; a step that fails is logged and does not stop the others."""
    request_ids.activate()  # what this round sets off has one name, like what a request does
    for step in (
        rescue_builds,
        cancel_abandoned,
        requeue_builds,
        rescue_mails,
        resend_mails,
        resend_account_mails,
        expire_archives,
        remove_parts,
        waiting.tell,
        give_sign,
    ):
        _guarded(step)


def prune() -> None:
    """Remove tasks after a year, timelines, errors and news after 90 days, and archives that no task knows of.

    And sign-ups that were not confirmed within a week, and sessions that have run out.
    """
    _guarded(prune_rows)
    _guarded(prune_people)
    _guarded(sessions.remove_ended)
    _guarded(remove_orphans)


def give_sign() -> None:
    """Let `/readyz` and the metrics of every machine know that a round was gone."""
    SweeperSign.objects.renew()


def rescue_builds() -> None:
    rescued = [task for task in one_by_one(ExportTask.objects.lapsed()) if task.rescue()]
    for task in rescued:
        jobs.log_crash(task)
    _until_false(jobs.hand_out, rescued)


def cancel_abandoned() -> None:
    for task in one_by_one(ExportTask.objects.abandoned()):
        if task.cancel():
            logger.warning("Export %s cancelled: its owner's account is closed.", task.pk)


def requeue_builds() -> None:
    """Give those that no queue knows of a new attempt. The oldest is put in front last, and so comes first."""
    overlooked = ExportTask.objects.overlooked()
    ids = {
        f"{pk}-{attempt}": pk
        for pk, attempt in overlooked.order_by("queued_at").values_list("pk", "attempt")
    }
    lost = overlooked.filter(pk__in=_unknown(ids)).order_by("-queued_at")
    requeued = [task for task in one_by_one(lost) if task.requeue()]
    for task in requeued:
        logger.warning("Export %s: its job was lost, queued again.", task.pk)
    _until_false(jobs.hand_out, requeued)


def rescue_mails() -> None:
    for mail in one_by_one(ExportMail.objects.lapsed()):
        mail.interrupt("The process that sent the mail fell silent.")


def resend_mails() -> None:
    due = ExportMail.objects.due()
    ids = {mail.job_id: mail.pk for mail in due.order_by("next_try_at")}
    lost = due.filter(pk__in=_unknown(ids)).order_by("next_try_at")
    _until_false(jobs.enqueue_mail, [mail for mail in one_by_one(lost) if mail.put_off()])


def _unknown(ids: dict[str, UUID]) -> list[UUID]:
    """The first rows, of those keyed by job id, whose job is neither in the queue nor in a worker's hands."""
    known = _jobs_in_hand() if ids else set()
    return [pk for job_id, pk in ids.items() if job_id not in known][:BATCH]


def resend_account_mails() -> None:
    due = AccountMail.objects.due().order_by("next_try_at")
    if not due.exists():
        return
    known = _jobs_in_hand()
    lost = [m for m in one_by_one(due) if m.job_id not in known and m.put_off()]
    _until_false(account_jobs.enqueue_mail, lost)


def expire_archives() -> None:
    gone = []
    for task in one_by_one(ExportTask.objects.expired()):
        name = str(task.archive.name)
        if task.expire():
            gone.append(name)
    for name in gone:
        archive.discard(name)


def remove_parts() -> None:
    """Remove part files of builds that do not run any more on this machine or, since they are fenced off, in vain."""
    for path in archive.parts_folder().glob(f"*{archive.PART_SUFFIX}"):
        build = _build_name(path.name)
        running = ExportTask.objects.filter(status=Status.RUNNING)
        if build is None or not running.filter(pk=build[0], attempt=build[1]).exists():
            path.unlink(missing_ok=True)


def remove_orphans() -> None:
    """Remove archives that are no task's: stored right before their worker died, or left by a deleted account."""
    storage = archive_storage()
    for kind in KINDS:
        try:
            _, names = storage.listdir(kind)
        except FileNotFoundError:
            continue
        for some in (names[start : start + BATCH] for start in range(0, len(names), BATCH)):
            paths = {f"{kind}/{name}": _build_name(name) for name in some}
            for path in paths.keys() - _wanted(paths):
                archive.discard(path)


def _wanted(paths: dict[str, tuple[UUID, int] | None]) -> set[str]:
    """Those of the archives, each with the build that its name tells of, that are a task's or are being stored."""
    builds = {build for build in paths.values() if build}
    near = ExportTask.objects.filter(
        Q(archive__in=paths) | Q(pk__in={pk for pk, _ in builds}, status=Status.RUNNING)
    )
    rows = list(near.values_list("pk", "attempt", "status", "archive"))
    running = {(pk, attempt) for pk, attempt, status, _ in rows if status == Status.RUNNING}
    return {name for *_, name in rows} | {path for path, build in paths.items() if build in running}


def prune_rows() -> None:
    old = from_now(-KEEP_DETAILS_DAYS * 86400)
    ExportEvent.objects.filter(created_at__lt=old).delete()
    ExportTask.objects.filter(created_at__lt=old).exclude(traceback="").update(traceback="")
    ExportTask.objects.filter(
        created_at__lt=from_now(-KEEP_TASKS_DAYS * 86400), archive=""
    ).exclude(pk__in=ExportTask.objects.unfinished().values("pk")).delete()
    ExportMail.objects.filter(created_at__lt=old).exclude(error="", bounce_reason="").update(
        error="", bounce_reason=""
    )  # may hold an address
    Notification.objects.filter(name__startswith="export:", updated_at__lt=old).delete()
    given_up, _ = AccountMail.objects.stale().delete()
    if given_up:
        logger.error(
            "%d mails about accounts could not be sent for a day and are given up.", given_up
        )


def prune_people() -> None:
    _, rows = User.objects.never_confirmed().delete()
    if people := rows.get(User._meta.label):
        logger.info("%d sign-ups that nobody had confirmed are removed.", people)


def _until_false(action: Callable[[Row], bool], rows: list[Row]) -> None:
    """Do it to each, and leave the rest to the next round once it fails: a broker that hangs takes seconds a call."""
    all(map(action, rows))


def _build_name(file_name: str) -> tuple[UUID, int] | None:
    """The task and the attempt that make the file `<task>-<attempt>.<...>`; None where the name is another's."""
    task_id, _, attempt = PurePath(file_name).name.partition(".")[0].rpartition("-")
    try:
        return UUID(task_id), int(attempt)
    except ValueError:
        return None


def _jobs_in_hand() -> set[str]:
    """The ids of the jobs that wait in the queue, or that a worker took so lately that it may not have claimed yet.

    That a job's hash exists, or that it is registered as started, proves nothing: both outlive a killed worker. The
    times of starts are those of the workers' clocks; what hangs on them is only whether a job is queued needlessly.
    """
    queue = django_rq.get_queue("default")
    started = Job.fetch_many(
        StartedJobRegistry(queue=queue).get_job_ids(cleanup=False),
        queue.connection,
        serializer=queue.serializer,
    )
    return {*queue.get_job_ids(), *(job.id for job in started if job and _just_started(job))}


def _just_started(job: Job) -> bool:
    if job.started_at is None:
        # Taken, and its work-horse or the broker died before it could say so; where not, a second job is harmless.
        return False
    age = datetime.now(UTC) - job.started_at.replace(tzinfo=UTC)
    return timedelta() <= age < timedelta(seconds=2 * settings.EXPORT_TICK_SECONDS)


def _guarded(step: Callable[[], None]) -> None:
    try:
        step()
    except (RedisError, DatabaseError) as error:
        # No ERROR, which mails ADMINS: this would be one for each step, every five seconds.
        logger.warning("The broker or the database is away, %s waits: %s", step.__name__, error)
    except Exception:
        logger.exception("Sweeping: %s failed", step.__name__)
