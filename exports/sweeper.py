"""Recovery of lost and interrupted work, and removal of expired rows and files.

Several sweepers may run at once: each row is handled in its own transaction, locked rows are
skipped, and all changes are conditional.
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

from . import jobs, queue_position
from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportEvent, ExportMail, ExportTask, Status, SweeperHeartbeat
from .models.concurrency import BATCH_SIZE, each_locked, from_now
from .models.task import archive_storage

Row = TypeVar("Row", bound=Model)
Build = tuple[UUID, int]  # task and attempt

logger = logging.getLogger(__name__)

TASK_RETENTION_DAYS = 365
DETAIL_RETENTION_DAYS = 90
PRUNE_INTERVAL = 3600  # seconds


def sweep() -> list[str]:
    """Run all steps but pruning; log those that fail and return their names."""
    request_ids.activate()  # so that the log shows which jobs one sweep enqueued
    return _run_steps(
        rescue_tasks,
        cancel_tasks_of_deactivated_owners,
        requeue_lost_tasks,
        rescue_mails,
        enqueue_due_mails,
        enqueue_due_account_mails,
        expire_archives,
        remove_temporary_files,
        queue_position.update_all,
        record_heartbeat,
    )


def prune() -> list[str]:
    return _run_steps(
        prune_rows,
        prune_unconfirmed_users,
        sessions.delete_expired,
        remove_orphaned_archives,
    )


def record_heartbeat() -> None:
    SweeperHeartbeat.objects.record_heartbeat()


def rescue_tasks() -> None:
    rescued = [task for task in each_locked(ExportTask.objects.lease_expired()) if task.rescue()]
    for task in rescued:
        jobs.log_crash(task)
    _enqueue_until_failure(jobs.enqueue_next, rescued)


def cancel_tasks_of_deactivated_owners() -> None:
    for task in each_locked(ExportTask.objects.owner_deactivated()):
        if task.cancel():
            logger.warning("Export %s cancelled: its owner's account is closed.", task.pk)


def requeue_lost_tasks() -> None:
    """Give READY tasks whose job was lost a new attempt, and enqueue them in front.

    The oldest is enqueued last, so it becomes the first in the queue.
    """
    candidates = ExportTask.objects.not_enqueued()
    job_ids = {
        f"{pk}-{attempt}": pk
        for pk, attempt in candidates.order_by("queued_at").values_list("pk", "attempt")
    }
    lost = candidates.filter(pk__in=_without_job(job_ids)).order_by("-queued_at")
    requeued = [task for task in each_locked(lost) if task.requeue()]
    for task in requeued:
        logger.warning("Export %s: its job was lost, enqueued again.", task.pk)
    _enqueue_until_failure(jobs.enqueue_next, requeued)


def rescue_mails() -> None:
    for mail in each_locked(ExportMail.objects.lease_expired()):
        mail.retry_now("The lease of the process that sent the mail expired.")


def enqueue_due_mails() -> None:
    due = ExportMail.objects.due()
    job_ids = {mail.job_id: mail.pk for mail in due.order_by("next_try_at")}
    lost = due.filter(pk__in=_without_job(job_ids)).order_by("next_try_at")
    _enqueue_until_failure(jobs.enqueue_mail, [mail for mail in each_locked(lost) if mail.defer()])


def enqueue_due_account_mails() -> None:
    due = AccountMail.objects.due().order_by("next_try_at")
    if not due.exists():
        return
    live_job_ids = _live_job_ids()
    lost = [mail for mail in each_locked(due) if mail.job_id not in live_job_ids and mail.defer()]
    _enqueue_until_failure(account_jobs.enqueue_mail, lost)


def _without_job(job_ids: dict[str, UUID]) -> list[UUID]:
    live_job_ids = _live_job_ids() if job_ids else set()
    return [pk for job_id, pk in job_ids.items() if job_id not in live_job_ids][:BATCH_SIZE]


def expire_archives() -> None:
    expired_files = []
    for task in each_locked(ExportTask.objects.expired()):
        name = str(task.archive.name)
        if task.expire():
            expired_files.append(name)
    for name in expired_files:
        archive.discard(name)


def remove_temporary_files() -> None:
    """Delete temporary files of builds that are finished, dead or superseded."""
    for path in archive.temporary_folder().glob(f"*{archive.TEMPORARY_SUFFIX}"):
        build = _parse_file_name(path.name)
        running = ExportTask.objects.filter(status=Status.RUNNING)
        if build is None or not running.filter(pk=build[0], attempt=build[1]).exists():
            path.unlink(missing_ok=True)


def remove_orphaned_archives() -> None:
    """Delete archives without a task.

    Their worker died right after it stored them, or their owner was deleted meanwhile.
    """
    storage = archive_storage()
    for kind in KINDS:
        try:
            _, names = storage.listdir(kind)
        except FileNotFoundError:
            continue
        for start in range(0, len(names), BATCH_SIZE):
            batch = names[start : start + BATCH_SIZE]
            builds = {f"{kind}/{name}": _parse_file_name(name) for name in batch}
            for path in builds.keys() - _referenced_archives(builds):
                archive.discard(path)


def _referenced_archives(builds: dict[str, Build | None]) -> set[str]:
    """Return the paths that belong to a task, or to a build that is about to record them."""
    task_ids = {build[0] for build in builds.values() if build}
    tasks = ExportTask.objects.filter(
        Q(archive__in=builds) | Q(pk__in=task_ids, status=Status.RUNNING)
    )
    rows = list(tasks.values_list("pk", "attempt", "status", "archive"))
    recorded = {name for *_, name in rows}
    running = {(pk, attempt) for pk, attempt, status, _ in rows if status == Status.RUNNING}
    return recorded | {path for path, build in builds.items() if build in running}


def prune_rows() -> None:
    old = from_now(-DETAIL_RETENTION_DAYS * 86400)
    ExportEvent.objects.filter(created_at__lt=old).delete()
    ExportTask.objects.filter(created_at__lt=old).exclude(traceback="").update(traceback="")
    ExportTask.objects.filter(
        created_at__lt=from_now(-TASK_RETENTION_DAYS * 86400), archive=""
    ).exclude(pk__in=ExportTask.objects.unfinished().values("pk")).delete()
    # Errors of mails may contain an address.
    ExportMail.objects.filter(created_at__lt=old).exclude(error="", bounce_reason="").update(
        error="", bounce_reason=""
    )
    Notification.objects.filter(name__startswith="export:", updated_at__lt=old).delete()
    given_up, _ = AccountMail.objects.expired().delete()
    if given_up:
        logger.error("Gave up %d account mails that could not be sent for a day.", given_up)


def prune_unconfirmed_users() -> None:
    _, deleted = User.objects.never_confirmed().delete()
    if users := deleted.get(User._meta.label):
        logger.info("Deleted %d users who never confirmed their address.", users)


def _enqueue_until_failure(enqueue: Callable[[Row], bool], rows: list[Row]) -> None:
    """Enqueue rows until one fails; the next sweep continues.

    A broker that hangs takes seconds for each call.
    """
    all(map(enqueue, rows))


def _parse_file_name(file_name: str) -> Build | None:
    """Return the build that wrote `<task>-<attempt>.<suffixes>`; None for other names."""
    task_id, _, attempt = PurePath(file_name).name.partition(".")[0].rpartition("-")
    try:
        return UUID(task_id), int(attempt)
    except ValueError:
        return None


def _live_job_ids() -> set[str]:
    """Return the jobs in the queue, and those that workers took too recently to have claimed.

    Neither a job's hash nor its entry in the registry of started jobs proves that a worker has
    it: both outlive a killed worker. Start times come from the workers' clocks; a wrong clock
    only causes a redundant job.
    """
    queue = django_rq.get_queue("default")
    started = Job.fetch_many(
        StartedJobRegistry(queue=queue).get_job_ids(cleanup=False),
        queue.connection,
        serializer=queue.serializer,
    )
    return {*queue.get_job_ids(), *(job.id for job in started if job and _is_just_started(job))}


def _is_just_started(job: Job) -> bool:
    if job.started_at is None:
        # The work-horse or the broker died before it saved the time. If not, the second job is
        # harmless, because jobs are idempotent.
        return False
    age = datetime.now(UTC) - job.started_at.replace(tzinfo=UTC)
    return timedelta() <= age < timedelta(seconds=2 * settings.EXPORT_TICK_SECONDS)


def _run_steps(*steps: Callable[[], None]) -> list[str]:
    return [step.__name__ for step in steps if not _run_step(step)]


def _run_step(step: Callable[[], None]) -> bool:
    try:
        step()
    except (RedisError, DatabaseError) as error:
        # Not ERROR, which mails ADMINS: an outage would send one mail per step and sweep.
        logger.warning(
            "Database or broker error; skipping %s: %s (run migrate?)", step.__name__, error
        )
    except Exception:
        logger.exception("Sweep step %s failed.", step.__name__)
    else:
        return True
    return False
