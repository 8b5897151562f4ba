"""Find tasks and mails that are stuck: rows, queue and workers that contradict each other.

The rules allow for the sweeper's delay, so a condition that resolves itself within seconds is
not reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks.broker import QueueState, parse_job_ids
from tasks.models import Mail, MailStatus, Status, SweeperHeartbeat, Task, task_models
from tasks.models.clock import from_now

from .actions import CANCEL, RESCUE, Action
from .kinds import row_title, row_url, task_model_of
from .permissions import DASHBOARD

if TYPE_CHECKING:
    from .admin import MailAdmin, TaskAdmin

MAX_FINDINGS = 50  # of each kind
MAX_JOBS_CHECKED = 1000  # at the front of the queue
MAIL_GRACE = timedelta(seconds=60)  # how long a job may still send the mail of a finished task


@dataclass(frozen=True, kw_only=True)
class Fix:
    """Safe fix: a page to open (`url`) or, with a `name`, a POST to the diagnosis page.

    Only users with the permission get to see it; without one, it is for operators.
    """

    label: str
    url: str = ""
    name: str = ""
    target: str = ""
    permission: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    text: str
    fix: Fix
    row: Task | Mail | None = None

    @property
    def title(self) -> str:
        return row_title(self.row) if self.row else ""

    @property
    def url(self) -> str:
        return row_url(self.row) if self.row else ""


def find_all(
    queue: QueueState, kinds: Sequence[TaskAdmin], mail_kinds: Sequence[MailAdmin]
) -> list[Finding]:
    findings = list(_process_findings(queue))
    for kind in kinds:
        findings += [*_task_findings(queue, kind), *kind.find_problems()]
    for mail_kind in mail_kinds:
        findings += _mail_findings(queue, mail_kind.model)
    if queue.is_unreachable:
        return findings
    return [*findings, *_job_findings(queue), *_worker_findings(queue)]


# Processes


def _process_findings(queue: QueueState) -> Iterator[Finding]:
    self_test_fix = Fix(label=_("Test the chain"), url=reverse("admin:selftest"))
    if queue.is_unreachable:
        text = _(
            "The broker does not answer (%s). Requests are kept; no work is done until it is back."
        )
        yield Finding(text=text % queue.error, fix=self_test_fix)
        return
    if queue.is_paused:
        yield Finding(
            text=_("The workers are paused: somebody ran manage.py rqsuspend."),
            fix=Fix(label=_("Let them go on"), name="resume"),
        )
    if all(worker.is_silent for worker in queue.workers):
        text = _(
            "No worker is running. Start one with manage.py rqworker; until then what waits is "
            "kept."
        )
        yield Finding(text=text, fix=self_test_fix)
    if is_sweeper_silent():
        text = _(
            "The sweeper (manage.py sweeper) gives no sign of life: what died is not picked up "
            "again."
        )
        yield Finding(text=text, fix=sweep_fix())


def is_sweeper_silent() -> bool:
    return not SweeperHeartbeat.objects.within(max(30, 6 * settings.EXPORT_TICK_SECONDS)).exists()


def sweep_fix() -> Fix:
    return Fix(label=_("Sweep once now"), name="sweep")


# Tasks


def _task_findings(queue: QueueState, kind: TaskAdmin) -> Iterator[Finding]:
    closed = kind.model.objects.owner_deactivated().select_related("owner").order_by("created_at")
    for task in closed[:MAX_FINDINGS]:
        text = _("Its owner's account is closed, and it still goes on.")
        yield Finding(text=text, fix=_action_fix(kind, CANCEL, task), row=task)
    if not queue.is_unreachable:
        not_enqueued = kind.model.objects.not_enqueued().claimable().select_related("owner")
        job_ids = {*queue.positions, *_worker_job_ids(queue)}
        for task in _without_job(not_enqueued.order_by("queued_at"), job_ids):
            text = _("It waits, but its job is neither in the queue nor with a worker.")
            yield Finding(text=text, fix=_action_fix(kind, RESCUE, task), row=task)
    for text, task in _running_tasks(queue, kind):
        yield Finding(text=text, fix=_action_fix(kind, RESCUE, task), row=task)


def _running_tasks(queue: QueueState, kind: TaskAdmin) -> Iterator[tuple[str, Task]]:
    objects = kind.model.objects
    for task in objects.lease_expired().select_related("owner")[:MAX_FINDINGS]:
        text = _(
            "It is marked as running, but its worker has not been heard from for longer than a "
            "lease."
        )
        yield text, task
    running = objects.filter(status=Status.RUNNING, started_at__lt=from_now(-10))
    running = running.select_related("owner")
    too_long = running.filter(started_at__lt=from_now(-settings.EXPORT_JOB_TIMEOUT - 60))
    for task in too_long[:MAX_FINDINGS]:
        yield _("It has been running for longer than a job may take."), task
    if not queue.is_unreachable:
        lease_expired = objects.lease_expired().filter(pk=OuterRef("pk"))
        leased = running.exclude(Exists(lease_expired)).order_by("started_at")
        for task in _without_job(leased, _worker_job_ids(queue)):
            text = _(
                "Somebody renews its lease, but no worker that RQ knows has its job: a process "
                "without its parent."
            )
            yield text, task


def _without_job(tasks: QuerySet[Any], job_ids: set[str]) -> QuerySet[Any]:
    keys = tasks.values_list("pk", "attempt").iterator()
    missing = (pk for pk, attempt in keys if f"{pk}-{attempt}" not in job_ids)
    return tasks.filter(pk__in=list(islice(missing, MAX_FINDINGS)))


def _worker_job_ids(queue: QueueState) -> set[str]:
    return {worker.job_id for worker in queue.workers if worker.job_id}


def _action_fix(kind: TaskAdmin, action: Action, task: Task) -> Fix:
    """Offer the kind's own version of the action."""
    action = kind.get_action_named(action.name) or action
    return Fix(
        label=str(action.label),
        url=kind.action_url(action, task),
        permission=kind.action_permission(action),
    )


# Mails


def _mail_findings(queue: QueueState, model: type[Mail]) -> Iterator[Finding]:
    mails = model.objects.order_by("next_try_at")
    if task_model_of(model):
        mails = mails.select_related("task__owner")
    for mail in mails.lease_expired()[:MAX_FINDINGS]:
        text = _("This e-mail is marked as being sent, but its sender is silent.")
        yield Finding(text=text, fix=sweep_fix(), row=mail)
    if queue.is_unreachable:
        return
    overdue = mails.filter(
        status=MailStatus.PENDING, next_try_at__lt=from_now(-3 * settings.EXPORT_TICK_SECONDS)
    )
    for mail in overdue[:MAX_FINDINGS]:
        if mail.job_id not in queue.positions and not queue.worker_for(mail.job_id):
            text = _("This e-mail is due, but no job is there that would send it.")
            yield Finding(text=text, fix=sweep_fix(), row=mail)


# Jobs and workers


def _job_findings(queue: QueueState) -> Iterator[Finding]:
    for job_id in find_obsolete_jobs(islice(queue.positions, MAX_JOBS_CHECKED))[:MAX_FINDINGS]:
        text = _(
            "Job %s waits in the queue for a task that has ended or moved on. It will find "
            "nothing to do."
        )
        fix = Fix(label=_("Take it off the queue"), name="remove-job", target=job_id)
        yield Finding(text=text % job_id, fix=fix)
    for job_id in sorted(queue.started_job_ids - _worker_job_ids(queue))[:MAX_FINDINGS]:
        text = _(
            "RQ takes job %s for started, but no worker has it. RQ forgets it by itself; the row "
            "is what counts."
        )
        if find_obsolete_jobs([job_id]):
            yield Finding(text=text % job_id, fix=_job_page(job_id))


def find_obsolete_jobs(job_ids: Iterable[str]) -> list[str]:
    """Return the jobs of tasks that have ended or have a newer attempt."""
    attempts = parse_job_ids(job_ids)
    keys = [UUID(pk) for pk, _attempt in attempts.values()]
    current = {
        (str(pk), attempt)
        for model in task_models()
        for pk, attempt in model.objects.unfinished()
        .filter(pk__in=keys)
        .values_list("pk", "attempt")
    }
    return [job_id for job_id, attempt in attempts.items() if attempt not in current]


def _worker_findings(queue: QueueState) -> Iterator[Finding]:
    obsolete = set(find_obsolete_jobs(_worker_job_ids(queue)))
    for worker in queue.workers:
        if worker.is_silent:
            text = _("Worker %s has not been heard from for a minute. RQ forgets it by itself.")
            url = reverse("admin:django_rq_worker_details", args=[0, worker.key])
            fix = Fix(label=_("Look at the worker"), url=url, permission=DASHBOARD)
            yield Finding(text=text % worker.name[:8], fix=fix)
        elif worker.job_id in obsolete and not _has_just_finished(worker.job_id):
            text = _(
                "Worker %s works for a task that has ended or moved on. It changes nothing any "
                "more."
            )
            yield Finding(text=text % worker.name[:8], fix=_job_page(worker.job_id))


def _has_just_finished(job_id: str) -> bool:
    """Return whether the task ended so recently that its job may still be sending the mail."""
    [(pk, attempt)] = parse_job_ids([job_id]).values()
    since = from_now(-MAIL_GRACE.total_seconds())
    return any(
        model.objects.filter(pk=pk, attempt=attempt, finished_at__gt=since).exists()
        for model in task_models()
    )


def _job_page(job_id: str) -> Fix:
    url = reverse("admin:django_rq_job_detail", args=[0, job_id])
    return Fix(label=_("Look at the job"), url=url, permission=DASHBOARD)
