"""Figures and plots of the staff start page."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.template.defaultfilters import date as format_date
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from exports.models import ExportMail, ExportTask, MailStatus, SelfTest, Status
from tasks.broker import QueueState

MAX_ENDED_EXPORTS = 50_000  # read for the plots; more would make the page slow
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
class EndedExport:
    """Outcome and duration, from request to end, of one export."""

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


def build_overview(queue: QueueState) -> dict[str, Any]:
    """Return the template context of the start page."""
    now = timezone.now()
    ended = list(_ended_exports(now - timedelta(days=7)))
    return {
        "status_counts": _count_by_status(now),
        "oldest": ExportTask.objects.filter(status=Status.READY).order_by("created_at").first(),
        "spans": [
            (span.label, [success_rate_plot(span, ended, now), median_wait_plot(span, ended, now)])
            for span in SPANS
        ],
        "mails": _count_failed_mails(now),
        "storage": _measure_storage(),
        "queue": queue,
        "last_test": SelfTest.objects.exclude(passed=None).first(),
    }


def _count_by_status(now: datetime) -> list[tuple[str, int, str]]:
    """Return label, number and list filter of each status.

    Unfinished exports are counted whatever their age, ended ones of the last 24 hours only.
    """
    unfinished = ExportTask.objects.unfinished()
    recent = ExportTask.objects.filter(created_at__gte=now - timedelta(days=1))
    counts = {
        status: number
        for rows in (recent, unfinished)
        for status, number in rows.order_by().values_list("status").annotate(Count("pk"))
    }
    return [
        (
            str(status.label),
            counts.get(status, 0),
            f"status__exact={status}" + ("" if is_unfinished else "&age=day"),
        )
        for status in Status
        for is_unfinished in [status in (Status.READY, Status.RUNNING)]
    ]


def _ended_exports(since: datetime) -> Iterable[EndedExport]:
    """Yield exports that succeeded or failed, filtered by `created_at`, which has an index."""
    rows = ExportTask.objects.filter(
        created_at__gte=since, status__in=(Status.SUCCESSFUL, Status.FAILED)
    )
    values = rows.order_by("-created_at").values_list("status", "created_at", "finished_at")
    for status, created_at, finished_at in values[:MAX_ENDED_EXPORTS]:
        if finished_at:
            yield EndedExport(
                is_success=status == Status.SUCCESSFUL,
                seconds=(finished_at - created_at).total_seconds(),
                finished_at=finished_at,
            )


def success_rate_plot(span: Span, ended: Sequence[EndedExport], now: datetime) -> Plot:
    steps = _group_by_step(span, ended, now)
    values = [_success_rate(step) for step in steps]
    total = _success_rate([export for step in steps for export in step])
    return Plot(
        title=_("Success rate"),
        total=_format_percent(total),
        bars=_draw_bars(
            span=span, values=values, highest=100, format_value=_format_percent, now=now
        ),
    )


def median_wait_plot(span: Span, ended: Sequence[EndedExport], now: datetime) -> Plot:
    steps = _group_by_step(span, ended, now)
    values = [_median_wait(step) for step in steps]
    highest = max((value for value in values if value is not None), default=0)
    total = _median_wait([export for step in steps for export in step])
    return Plot(
        title=_("Median time to the archive"),
        total=_format_seconds(total),
        bars=_draw_bars(
            span=span, values=values, highest=highest, format_value=_format_seconds, now=now
        ),
    )


def _group_by_step(
    span: Span, ended: Iterable[EndedExport], now: datetime
) -> list[list[EndedExport]]:
    steps: list[list[EndedExport]] = [[] for _step in range(span.steps)]
    for export in ended:
        index = span.step_index(now - export.finished_at)
        if 0 <= index < span.steps:
            steps[index].append(export)
    return steps


def _success_rate(ended: Sequence[EndedExport]) -> float | None:
    """Return the percentage of successful exports."""
    return 100 * sum(export.is_success for export in ended) / len(ended) if ended else None


def _median_wait(ended: Sequence[EndedExport]) -> float | None:
    """Return the median duration of successful exports in seconds."""
    seconds = [export.seconds for export in ended if export.is_success]
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
    """Return one bar for each step, without height where the step has no value."""
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


def _count_failed_mails(now: datetime) -> dict[str, int]:
    week = ExportMail.objects.filter(created_at__gte=now - timedelta(days=7))
    return {
        "given_up": week.filter(status=MailStatus.GAVE_UP).count(),
        "bounced": week.filter(bounced_at__isnull=False).count(),
        "retrying": ExportMail.objects.filter(status=MailStatus.PENDING, tries__gt=0).count(),
    }


def _measure_storage() -> dict[str, str | int]:
    kept = ExportTask.objects.exclude(archive="").aggregate(
        files=Count("pk"), size=Sum("archive_bytes")
    )
    disk = shutil.disk_usage(settings.VAR_DIR)
    return {
        "files": kept["files"],
        "size": filesizeformat(kept["size"] or 0),
        "free": filesizeformat(disk.free),
    }
