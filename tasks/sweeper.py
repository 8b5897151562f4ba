"""The sweeper: repairs expired leases, lost jobs and unsent mails; other apps add steps.

Needs the database and the broker, and keeps no state. Any number of sweepers may run at once: each
row is locked in a transaction of its own, locked rows are skipped, and every change is conditional.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from microblog import request_ids

from . import broker, jobs, queue_position
from .models import (
    Mail,
    MailStatus,
    Status,
    SweeperHeartbeat,
    Task,
    event_models,
    mail_models,
    task_models,
)
from .models.clock import from_now
from .models.rows import BATCH_SIZE, change_each

Row = TypeVar("Row", Task, Mail)
Step = Callable[[], None]

logger = logging.getLogger(__name__)

PRUNE_INTERVAL = 3600  # seconds
KEEP_TASK_DAYS = 365
KEEP_DETAIL_DAYS = 90

_steps: list[Step] = []
_prune_steps: list[Step] = []


def register_step(step: Step) -> None:
    _steps.append(step)


def register_prune_step(step: Step) -> None:
    """Run `step` every hour."""
    _prune_steps.append(step)


def sweep() -> list[str]:
    """Run every step but pruning; log those that fail and return their names."""
    request_ids.activate()  # log lines of this sweep, and of the jobs it enqueues, share one id
    return _run_steps(
        rescue_tasks,
        cancel_tasks_of_closed_accounts,
        enqueue_lost_tasks,
        rescue_mails,
        enqueue_due_mails,
        *_steps,
        queue_position.update_all,
        record_heartbeat,
    )


def prune() -> list[str]:
    """Run the steps that delete old rows; return the names of failed steps."""
    return _run_steps(prune_details, prune_tasks, *_prune_steps)


def record_heartbeat() -> None:
    SweeperHeartbeat.objects.record_heartbeat()


def rescue_tasks() -> None:
    for model in task_models():
        expired = model.objects.lease_expired().order_by("-requested_at")
        rescued = change_each(expired, lambda task: task.rescue())
        for task in rescued:
            jobs.log_crash(task)
        # Stop at the first failure, because each call to a hanging broker takes seconds.
        all(jobs.enqueue_next(task) for task in rescued)


def cancel_tasks_of_closed_accounts() -> None:
    for model in task_models():
        for task in change_each(model.objects.owner_deactivated(), lambda task: task.cancel()):
            logger.warning("Task %s cancelled: its owner's account is closed.", task.pk)


def enqueue_lost_tasks() -> None:
    """Start a new attempt of the oldest tasks that have no job, whatever their kind."""
    waiting = [model.objects.not_enqueued() for model in task_models()]
    lost = _without_job(_by_age(tasks.only("attempt", "requested_at") for tasks in waiting))
    requeued: list[Task] = []
    for tasks in waiting:
        requeued += change_each(tasks.filter(pk__in=lost), lambda task: task.requeue())
    for task in requeued:
        logger.warning("Task %s: its job was lost; enqueued again.", task.pk)
    _enqueue_by_age(requeued)


def rescue_mails() -> None:
    error = "The process that sent the mail stopped responding."
    for model in mail_models():
        change_each(model.objects.lease_expired(), lambda mail: mail.retry_now(error))


def enqueue_due_mails() -> None:
    due = [model.objects.due() for model in mail_models()]
    lost = _without_job(_by_age(mails.only("tries", "created_at") for mails in due))
    deferred: list[Mail] = []
    for mails in due:
        deferred += change_each(mails.filter(pk__in=lost), lambda mail: mail.defer())
    _enqueue_by_age(deferred)


def prune_details() -> None:
    """Delete timelines, tracebacks and mail errors, which may hold addresses."""
    old = from_now(-KEEP_DETAIL_DAYS * 86400)
    for model in task_models():
        model.objects.filter(created_at__lt=old).exclude(traceback="").update(traceback="")
    for event_model in event_models():
        event_model._default_manager.filter(created_at__lt=old).delete()
    for mail_model in mail_models():
        mail_model.objects.filter(created_at__lt=old).exclude(error="").update(error="")


def prune_tasks() -> None:
    old = from_now(-KEEP_TASK_DAYS * 86400)
    for model in task_models():
        model.objects.prunable().filter(created_at__lt=old).delete()


def _by_age(querysets: Iterable[Iterable[Row]]) -> list[Row]:
    return sorted(chain.from_iterable(querysets), key=attrgetter("waiting_since"))


def _without_job(rows: Sequence[Task | Mail]) -> list[UUID]:
    """Return the keys of the first rows whose job is neither queued nor just taken."""
    in_hand = broker.jobs_in_hand() if rows else set()
    return [row.pk for row in rows if row.job_id not in in_hand][:BATCH_SIZE]


def _enqueue_by_age(rows: Sequence[Task | Mail]) -> None:
    """Enqueue each row behind the jobs of older ones: mails first, then tasks.

    Stop at the first failure, because each call to a hanging broker takes seconds.
    """
    if not rows:
        return
    new = {row.job_id: row for row in rows}
    queued = set(broker.queued_job_ids())
    predecessor = ""
    for job_id in _waiting_job_ids():
        if job_id in new:
            if not jobs.enqueue_behind(new[job_id], predecessor):
                return
        elif job_id not in queued:
            continue
        predecessor = job_id


def _waiting_job_ids() -> list[str]:
    """Return the jobs of all waiting rows in the order in which they should run."""
    mails = _by_age(
        model.objects.filter(status=MailStatus.PENDING).only("tries", "created_at")
        for model in mail_models()
    )
    tasks = _by_age(
        model.objects.filter(status=Status.READY).only("attempt", "requested_at")
        for model in task_models()
    )
    return [row.job_id for row in (*mails, *tasks)]


def _run_steps(*steps: Step) -> list[str]:
    return [step.__name__ for step in steps if not _run_step(step)]


def _run_step(step: Step) -> bool:
    try:
        step()
    except (RedisError, DatabaseError) as error:
        # Not at ERROR, which mails ADMINS: an outage would send one mail per step and sweep.
        logger.warning("Database or broker error; skipping %s: %s", step.__name__, error)
    except Exception:
        logger.exception("Sweep step %s failed.", step.__name__)
    else:
        return True
    return False
