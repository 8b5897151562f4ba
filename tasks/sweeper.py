"""The sweeper: repairs expired leases, lost jobs and unsent mails; other apps add steps.

Needs the database and the broker, and keeps no state. Any number of sweepers may run at once: each
row is locked in a transaction of its own, locked rows are skipped, and every change is conditional.
"""

import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from microblog import request_ids

from . import broker, jobs, queue_position
from .models import Mail, SweeperHeartbeat, Task, mail_models, task_models
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
        expired = model.objects.lease_expired()
        rescued = change_each(expired, lambda task: task.rescue())
        for task in rescued:
            jobs.log_crash(task)
        _each_while_true(jobs.enqueue_next, rescued)


def cancel_tasks_of_closed_accounts() -> None:
    for model in task_models():
        for task in change_each(model.objects.owner_deactivated(), lambda task: task.cancel()):
            logger.warning("Task %s cancelled: its owner's account is closed.", task.pk)


def enqueue_lost_tasks() -> None:
    """Start a new attempt of tasks that have no job. The oldest is enqueued in front, last."""
    for model in task_models():
        waiting = model.objects.not_enqueued()
        ids = {task.job_id: task.pk for task in waiting.order_by("queued_at").only("attempt")}
        lost = waiting.filter(pk__in=_without_job(ids)).order_by("-queued_at")
        requeued = change_each(lost, lambda task: task.requeue())
        for task in requeued:
            logger.warning("Task %s: its job was lost; enqueued again.", task.pk)
        _each_while_true(jobs.enqueue_next, requeued)


def rescue_mails() -> None:
    error = "The process that sent the mail stopped responding."
    for model in mail_models():
        change_each(model.objects.lease_expired(), lambda mail: mail.retry_now(error))


def enqueue_due_mails() -> None:
    for model in mail_models():
        due = model.objects.due().order_by("next_try_at")
        ids = {mail.job_id: mail.pk for mail in due.only("tries")}
        lost = due.filter(pk__in=_without_job(ids))
        enqueued = change_each(lost, lambda mail: mail.defer())
        _each_while_true(jobs.enqueue_mail, enqueued)


def prune_details() -> None:
    """Delete timelines, tracebacks and mail errors, which may hold addresses."""
    old = from_now(-KEEP_DETAIL_DAYS * 86400)
    for model in task_models():
        model.objects.filter(created_at__lt=old).exclude(traceback="").update(traceback="")
        model.prune_events(old)
    for mail_model in mail_models():
        mail_model.objects.filter(created_at__lt=old).exclude(error="").update(error="")


def prune_tasks() -> None:
    old = from_now(-KEEP_TASK_DAYS * 86400)
    for model in task_models():
        model.objects.prunable().filter(created_at__lt=old).delete()


def _without_job(ids: dict[str, UUID]) -> list[UUID]:
    """Return the first rows, given by job id, whose job is neither queued nor just taken."""
    in_hand = broker.jobs_in_hand() if ids else set()
    return [pk for job_id, pk in ids.items() if job_id not in in_hand][:BATCH_SIZE]


def _each_while_true(action: Callable[[Row], bool], rows: list[Row]) -> None:
    """Call `action` up to its first failure: each call to a hanging broker takes seconds."""
    for row in rows:
        if not action(row):
            return


def _run_steps(*steps: Step) -> list[str]:
    return [step.__name__ for step in steps if not _run_step(step)]


def _run_step(step: Step) -> bool:
    try:
        step()
    except (RedisError, DatabaseError) as error:
        # Not at ERROR, which mails ADMINS: an outage would send one mail per step and sweep.
        logger.warning(
            "Database or broker error; skipping %s: %s (run migrate?)", step.__name__, error
        )
    except Exception:
        logger.exception("Sweep step %s failed.", step.__name__)
    else:
        return True
    return False
