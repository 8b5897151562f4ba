"""Figures and plots of the staff start page, for each kind of task and mail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, Q
from django.template.defaultfilters import date as format_date
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from tasks.broker import QueueState, WorkerInfo, parse_job_ids
from tasks.models import UNFINISHED_STATUSES, MailStatus, Status, Task

from .kinds import find_tasks, kind_title, page_url, row_url
from .models import SelfTest

if TYPE_CHECKING:
    from .admin import MailAdmin, TaskAdmin

MAX_ENDED_TASKS = 50_000  # read for the plots of a kind; more would make the page slow
WIDTH, HEIGHT, GAP = 240, 48, 2  # of a plot, in units of its viewBox


@dataclass(frozen=True, kw_only=True)
class Span:
    """Period up to now, divided into equal steps."""

    label: StrOrPromise
    step: timedelta
    steps: int
    time_format: str

    def step_index(self, age: timedelta) -> int:
        """Return the step of a moment, counted from the oldest; negative before the span."""
        return self.steps - 1 - age // self.step


SPANS = (
    Span(label=gettext_lazy("24 hours"), step=timedelta(hours=1), steps=24, time_format="H:i"),
    Span(label=gettext_lazy("7 days"), step=timedelta(hours=6), steps=28, time_format="D H:i"),
)


@dataclass(frozen=True, kw_only=True)
class EndedTask:
    """Outcome and duration, from request to end, of one task."""

    is_success: bool
    seconds: float
    finished_at: datetime


@dataclass(frozen=True, kw_only=True)
class Bar:
    x: float
    y: float
    height: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Bar chart of one span; `total` is the formatted value over the whole span."""

    title: str
    total: str
    bars: list[Bar]
    width = WIDTH
    height = HEIGHT

    @property
    def bar_width(self) -> float:
        return self.bars[0].x + WIDTH / len(self.bars) - GAP if self.bars else 0


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Line of the overview."""

    label: StrOrPromise
    value: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskOverview:
    """Counts and plots of one kind of task."""

    name: str
    title: str
    counts: list[tuple[str, int, str]]
    """Label, number and link of each status."""
    oldest: Task | None
    oldest_url: str
    spans: list[tuple[StrOrPromise, list[Plot]]]


def build_overview(
    queue: QueueState, kinds: Sequence[TaskAdmin], mail_kinds: Sequence[MailAdmin]
) -> dict[str, Any]:
    now = timezone.now()
    facts = [fact for kind in mail_kinds for fact in _mail_facts(kind, now)]
    facts += [fact for kind in kinds for fact in kind.find_facts(now)]
    free = shutil.disk_usage(settings.VAR_DIR).free
    facts.append(Fact(label=_("Free on this machine's disk"), value=filesizeformat(free)))
    return {
        "kinds": [_task_overview(kind, now) for kind in kinds],
        "facts": facts,
        "queue": queue,
        "workers": _link_workers(queue),
        "last_test": SelfTest.objects.exclude(passed=None).first(),
    }


def _task_overview(kind: TaskAdmin, now: datetime) -> TaskOverview:
    ended = list(_ended_tasks(kind, now - timedelta(days=7)))
    oldest = kind.model.objects.filter(status=Status.READY).order_by("created_at").first()
    return TaskOverview(
        name=kind.opts.model_name or "",
        title=kind_title(kind.model),
        counts=_count_by_status(kind, now),
        oldest=oldest,
        oldest_url=row_url(oldest) if oldest else "",
        spans=[
            (span.label, [success_rate_plot(span, ended, now), median_wait_plot(span, ended, now)])
            for span in SPANS
        ],
    )


def _link_workers(queue: QueueState) -> list[tuple[WorkerInfo, str]]:
    ids = parse_job_ids(worker.job_id for worker in queue.workers)
    tasks = find_tasks(task_id for task_id, _attempt in ids.values())
    rows = {job_id: tasks.get(task_id) for job_id, (task_id, _attempt) in ids.items()}
    return [
        (worker, row_url(task) if (task := rows.get(worker.job_id)) else "")
        for worker in queue.workers
    ]


def _count_by_status(kind: TaskAdmin, now: datetime) -> list[tuple[str, int, str]]:
    """Return label, number and link of each status.

    Unfinished tasks are counted whatever their age, ended ones of the last 24 hours only.
    """
    unfinished = kind.model.objects.unfinished()
    recent = kind.model.objects.filter(created_at__gte=now - timedelta(days=1))
    counts = {
        status: number
        for rows in (recent, unfinished)
        for status, number in rows.order_by().values_list("status").annotate(Count("pk"))
    }
    list_url = page_url(kind.model, "changelist")
    return [
        (
            str(status.label),
            counts.get(status, 0),
            f"{list_url}?status__exact={status}"
            + ("" if status in UNFINISHED_STATUSES else "&age=day"),
        )
        for status in Status
    ]


def _mail_facts(kind: MailAdmin, now: datetime) -> Iterable[Fact]:
    week = Q(status=MailStatus.GAVE_UP, created_at__gte=now - timedelta(days=7))
    unsent = Q(status__in=(MailStatus.PENDING, MailStatus.SENDING))
    counts = kind.model.objects.aggregate(
        unsent=Count("pk", filter=unsent),
        retried=Count("pk", filter=unsent & Q(tries__gt=0, status=MailStatus.PENDING)),
        given_up=Count("pk", filter=week),
    )
    list_url, title = page_url(kind.model, "changelist"), kind_title(kind.model)
    for label, key, query in (
        (_("%(kind)s: waiting"), "unsent", f"status__exact={MailStatus.PENDING}"),
        (_("%(kind)s: being tried again"), "retried", f"status__exact={MailStatus.PENDING}"),
        (_("%(kind)s: given up, 7 days"), "given_up", f"status__exact={MailStatus.GAVE_UP}"),
    ):
        yield Fact(
            label=label % {"kind": title}, value=intcomma(counts[key]), url=f"{list_url}?{query}"
        )


def _ended_tasks(kind: TaskAdmin, since: datetime) -> Iterable[EndedTask]:
    """Yield tasks that succeeded or failed, filtered by `created_at`, which has an index."""
    rows = kind.model.objects.filter(
        created_at__gte=since, status__in=(Status.SUCCESSFUL, Status.FAILED)
    )
    values = rows.order_by("-created_at").values_list("status", "created_at", "finished_at")
    for status, created_at, finished_at in values[:MAX_ENDED_TASKS]:
        if finished_at:
            yield EndedTask(
                is_success=status == Status.SUCCESSFUL,
                seconds=(finished_at - created_at).total_seconds(),
                finished_at=finished_at,
            )


def success_rate_plot(span: Span, ended: Sequence[EndedTask], now: datetime) -> Plot:
    steps = _group_by_step(span, ended, now)
    values = [_success_rate(step) for step in steps]
    total = _success_rate([task for step in steps for task in step])
    return Plot(
        title=_("Success rate"),
        total=_format_percent(total),
        bars=_draw_bars(
            span=span, values=values, highest=100, format_value=_format_percent, now=now
        ),
    )


def median_wait_plot(span: Span, ended: Sequence[EndedTask], now: datetime) -> Plot:
    steps = _group_by_step(span, ended, now)
    values = [_median_wait(step) for step in steps]
    highest = max((value for value in values if value is not None), default=0)
    total = _median_wait([task for step in steps for task in step])
    return Plot(
        title=_("Median time from request to end"),
        total=_format_seconds(total),
        bars=_draw_bars(
            span=span, values=values, highest=highest, format_value=_format_seconds, now=now
        ),
    )


def _group_by_step(span: Span, ended: Iterable[EndedTask], now: datetime) -> list[list[EndedTask]]:
    steps: list[list[EndedTask]] = [[] for _step in range(span.steps)]
    for task in ended:
        index = span.step_index(now - task.finished_at)
        if 0 <= index < span.steps:
            steps[index].append(task)
    return steps


def _success_rate(ended: Sequence[EndedTask]) -> float | None:
    """Return the percentage of successful tasks."""
    return 100 * sum(task.is_success for task in ended) / len(ended) if ended else None


def _median_wait(ended: Sequence[EndedTask]) -> float | None:
    """Return the median duration of successful tasks in seconds."""
    seconds = [task.seconds for task in ended if task.is_success]
    return median(seconds) if seconds else None


def _format_percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"


def _format_seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"


def _draw_bars(
    *,
    span: Span,
    values: Sequence[float | None],
    highest: float,
    format_value: Callable[[float | None], str],
    now: datetime,
) -> list[Bar]:
    bars = []
    for index, value in enumerate(values):
        height = 0 if value is None else max(1.5, HEIGHT * value / highest if highest else 0)
        begin = timezone.localtime(now - span.step * (span.steps - index))
        bars.append(
            Bar(
                x=round(index * WIDTH / span.steps, 2),
                y=round(HEIGHT - height, 2),
                height=round(height, 2),
                title=f"{format_date(begin, span.time_format)}: {format_value(value)}",
            )
        )
    return bars
