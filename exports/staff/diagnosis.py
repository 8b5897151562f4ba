"""Why is it stuck? Rows, queue and living workers held against each other.

What passes by itself within a few seconds is not told: every clock here has the sweeper's grace.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from exports.models import ExportMail, ExportTask, MailStatus, Status, SweeperHeartbeat
from exports.models.concurrency import from_now

from .actions import ACTIONS
from .permissions import DASHBOARD, OPERATE
from .queue import Hand, Queue, tasks_of

MOST = 50  # of each kind that are named
LOOKED_AT = 1000  # jobs at the front of the queue
MAILING = timedelta(seconds=60)  # how long a build that has ended may still have its worker


@dataclass(frozen=True)
class Remedy:
    """One safe thing to do: a page to go to or, with a `name`, something that is done by POST to this very page.

    It is offered to those who have the permission alone.
    """

    label: str
    url: str = ""
    name: str = ""
    target: str = ""
    permission: str = OPERATE


@dataclass(frozen=True)
class Mismatch:
    text: str
    remedy: Remedy
    task: ExportTask | None = None


def find(known: Queue) -> list[Mismatch]:
    found = [*_of_processes(known), *_of_rows(known), *_of_mails(known)]
    return found if known.is_away else [*found, *_of_jobs(known), *_of_hands(known)]


# The processes


def _of_processes(known: Queue) -> Iterator[Mismatch]:
    test = Remedy(_("Test the chain"), reverse("admin:selftest"))
    if known.is_away:
        text = _(
            "The broker does not answer (%s). Requests are kept; nothing is built until it is back."
        )
        yield Mismatch(text % known.trouble, test)
        return
    if known.is_paused:
        yield Mismatch(
            _("The workers are paused: somebody ran manage.py rqsuspend."),
            Remedy(_("Let them go on"), name="resume"),
        )
    alive = [hand for hand in known.workers if not hand.is_silent]
    if not alive:
        yield Mismatch(
            _(
                "No worker is running. Start one with manage.py rqworker; until then what waits is kept."
            ),
            test,
        )
    if is_sweeper_silent():
        yield Mismatch(
            _(
                "The sweeper (manage.py sweeper) gives no sign of life: what died is not picked up again."
            ),
            sweep(),
        )


def is_sweeper_silent() -> bool:
    return not SweeperHeartbeat.objects.within(max(30, 6 * settings.EXPORT_TICK_SECONDS)).exists()


def sweep() -> Remedy:
    return Remedy(_("Sweep once now"), name="sweep")


# The rows


def _of_rows(known: Queue) -> Iterator[Mismatch]:
    unfinished = ExportTask.objects.unfinished().select_related("owner").order_by("created_at")
    for task in unfinished.filter(owner__is_active=False)[:MOST]:
        yield Mismatch(
            _("Its owner's account is closed, and it still goes on."), _act("cancel", task), task
        )
    overlooked = (
        ExportTask.objects.not_enqueued().filter(owner__is_active=True).select_related("owner")
    )
    if not known.is_away:
        for task in _beyond(overlooked.order_by("queued_at"), {*known.waiting, *_job_ids(known)}):
            yield Mismatch(
                _("It waits, but its job is neither in the queue nor with a worker."),
                _act("rescue", task),
                task,
            )
    yield from _of_running_rows(known)
    for task in ExportTask.objects.expired().select_related("owner")[:MOST]:
        yield Mismatch(_("The archive's time is over, and it is still there."), sweep(), task)


def _of_running_rows(known: Queue) -> Iterator[Mismatch]:
    for task in ExportTask.objects.lease_expired().select_related("owner")[:MOST]:
        text = _(
            "It is being built, says the row, but its worker has not been heard from for longer than a lease."
        )
        yield Mismatch(text, _act("rescue", task), task)
    running = ExportTask.objects.filter(
        status=Status.RUNNING, started_at__lt=from_now(-10)
    ).select_related("owner")
    too_long = running.filter(started_at__lt=from_now(-settings.EXPORT_JOB_TIMEOUT - 60))
    for task in too_long[:MOST]:
        yield Mismatch(
            _("It is being built for longer than an export may take."), _act("rescue", task), task
        )
    if not known.is_away:
        lapsed = ExportTask.objects.lease_expired().filter(pk=OuterRef("pk"))
        for task in _beyond(
            running.exclude(Exists(lapsed)).order_by("started_at"), _job_ids(known)
        ):
            text = _(
                "Somebody renews its lease, but no worker that RQ knows has its job: a process without its parent."
            )
            yield Mismatch(text, _act("rescue", task), task)


def _beyond(tasks: QuerySet[ExportTask], job_ids: Iterable[str]) -> QuerySet[ExportTask]:
    """The first of those whose job is none of these."""
    known = set(job_ids)
    keys = tasks.values_list("pk", "attempt").iterator()
    lost = islice((pk for pk, attempt in keys if f"{pk}-{attempt}" not in known), MOST)
    return tasks.filter(pk__in=list(lost))


def _job_ids(known: Queue) -> set[str]:
    return {hand.job_id for hand in known.workers if hand.job_id}


def _act(name: str, task: ExportTask) -> Remedy:
    url = reverse("admin:exports_exporttask_act", args=[name])
    action = ACTIONS[name]
    return Remedy(str(action.label), f"{url}?task={task.pk}", permission=action.permission)


# The mails


def _of_mails(known: Queue) -> Iterator[Mismatch]:
    mails = ExportMail.objects.select_related("task__owner").order_by("next_try_at")
    for mail in mails.lease_expired()[:MOST]:
        yield Mismatch(
            _("Its e-mail is being sent, says the row, but the sender has fallen silent."),
            sweep(),
            mail.task,
        )
    if known.is_away:
        return
    overdue = mails.filter(
        status=MailStatus.PENDING, next_try_at__lt=from_now(-3 * settings.EXPORT_TICK_SECONDS)
    )
    for mail in overdue[:MOST]:
        if mail.job_id not in known.waiting and not known.hand_of(mail.job_id):
            yield Mismatch(
                _("Its e-mail is due, but no job is there that would send it."), sweep(), mail.task
            )


# The jobs in the queue, and those in hand


def _of_jobs(known: Queue) -> Iterator[Mismatch]:
    for job_id in pointless(islice(known.waiting, LOOKED_AT))[:MOST]:
        text = _(
            "Job %s waits in the queue for an export that has ended or moved on. It will find nothing to do."
        )
        yield Mismatch(
            text % job_id, Remedy(_("Take it off the queue"), name="withdraw", target=job_id)
        )
    for job_id in sorted(known.started - _job_ids(known))[:MOST]:
        text = _(
            "RQ takes job %s for started, but no worker has it. RQ forgets it by itself; the row is what counts."
        )
        if job_id in pointless([job_id]):
            yield Mismatch(text % job_id, _look_at(job_id))


def pointless(job_ids: Iterable[str]) -> list[str]:
    """The jobs of exports that no longer want them."""
    tasks = tasks_of(job_ids)
    wanted: Any = ExportTask.objects.unfinished().filter(
        pk__in=[UUID(pk) for pk, _attempt in tasks.values()]
    )
    still = {(str(pk), attempt) for pk, attempt in wanted.values_list("pk", "attempt")}
    return [job_id for job_id, task in tasks.items() if task not in still]


def _of_hands(known: Queue) -> Iterator[Mismatch]:
    in_vain = set(pointless(_job_ids(known)))
    for hand in known.workers:
        if hand.is_silent:
            text = _("Worker %s has not been heard from for a minute. RQ forgets it by itself.")
            yield Mismatch(text % hand.name[:8], _look_at_worker(hand))
        elif hand.job_id in in_vain and not _ends_soon(hand.job_id):
            text = _(
                "Worker %s works for an export that has ended or moved on. It changes nothing any more."
            )
            yield Mismatch(text % hand.name[:8], _look_at(hand.job_id))


def _ends_soon(job_id: str) -> bool:
    """A build that has just ended: its job still has to send the mail, and tidy up."""
    [(pk, attempt)] = tasks_of([job_id]).values()
    lately = ExportTask.objects.filter(
        pk=pk, attempt=attempt, finished_at__gt=from_now(-MAILING.total_seconds())
    )
    return lately.exists()


def _look_at(job_id: str) -> Remedy:
    url = reverse("admin:django_rq_job_detail", args=[0, job_id])
    return Remedy(_("Look at the job"), url, permission=DASHBOARD)


def _look_at_worker(hand: Hand) -> Remedy:
    url = reverse("admin:django_rq_worker_details", args=[0, hand.key])
    return Remedy(_("Look at the worker"), url, permission=DASHBOARD)
