"""The figures of the desk's front page, and their plots."""

import shutil
from collections.abc import Iterable, Sequence
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

from .queue import Queue

MOST = 50_000  # ended exports that figures are made of: more would make the page slow
WIDTH, HEIGHT, GAP = 240, 48, 2  # of a plot, in the units of its viewBox


@dataclass(frozen=True)
class Span:
    """A stretch of time up to now, in equal steps."""

    label: StrOrPromise
    step: timedelta
    steps: int
    time_format: str

    def step_of(self, age: timedelta) -> int:
        """0 is the oldest; negative where it is older."""
        return self.steps - 1 - age // self.step


SPANS = (
    Span(gettext_lazy("24 hours"), timedelta(hours=1), 24, "H:i"),
    Span(gettext_lazy("7 days"), timedelta(hours=6), 28, "D H:i"),
)


@dataclass(frozen=True)
class Ended:
    """What figures need to know of an export that has ended."""

    is_success: bool
    seconds: float
    finished_at: datetime


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    height: float
    title: str


@dataclass(frozen=True)
class Plot:
    title: str
    figure: str
    """The same over the whole span; the plot shows how it came about."""
    bars: list[Bar]
    width = WIDTH
    height = HEIGHT

    @property
    def bar_width(self) -> float:
        return self.bars[0].x + WIDTH / len(self.bars) - GAP if self.bars else 0


def front_page(known: Queue) -> dict[str, Any]:
    now = timezone.now()
    ended = list(_ended(now - timedelta(days=7)))
    return {
        "now": _by_state(now),
        "oldest": ExportTask.objects.filter(status=Status.READY).order_by("created_at").first(),
        "spans": [(span.label, [rate(span, ended, now), wait(span, ended, now)]) for span in SPANS],
        "mails": _mails(now),
        "storage": _storage(),
        "queue": known,
        "last_test": SelfTest.objects.exclude(passed=None).first(),
    }


def _by_state(now: datetime) -> list[tuple[str, int, str]]:
    """Label, number and query string of each state; those that have ended, in the last 24 hours."""
    unfinished = ExportTask.objects.unfinished()
    lately = ExportTask.objects.filter(created_at__gte=now - timedelta(days=1))
    counts = {
        status: number
        for rows in (lately, unfinished)
        for status, number in rows.order_by().values_list("status").annotate(Count("pk"))
    }
    return [
        (
            str(status.label),
            counts.get(status, 0),
            f"status__exact={status}" + ("" if is_open else "&age=day"),
        )
        for status in Status
        for is_open in [status in (Status.READY, Status.RUNNING)]
    ]


def _ended(since: datetime) -> Iterable[Ended]:
    """Those that succeeded or failed, by when they were asked for: that is what the index knows."""
    rows = ExportTask.objects.filter(
        created_at__gte=since, status__in=(Status.SUCCESSFUL, Status.FAILED)
    )
    for status, created_at, finished_at in rows.order_by("-created_at").values_list(
        "status", "created_at", "finished_at"
    )[:MOST]:
        if finished_at:
            yield Ended(
                status == Status.SUCCESSFUL, (finished_at - created_at).total_seconds(), finished_at
            )


def rate(span: Span, ended: Sequence[Ended], now: datetime) -> Plot:
    """How many of those that ended succeeded, in per cent."""
    steps = _in_steps(span, ended, now)
    values = [_rate(step) for step in steps]
    figure = _rate([item for step in steps for item in step])
    return Plot(_("Success rate"), _percent(figure), _bars(span, values, 100, _percent, now))


def wait(span: Span, ended: Sequence[Ended], now: datetime) -> Plot:
    """The median time from request to archive."""
    steps = _in_steps(span, ended, now)
    values = [_wait(step) for step in steps]
    highest = max((value for value in values if value is not None), default=0)
    figure = _wait([item for step in steps for item in step])
    return Plot(
        _("Median time to the archive"),
        _seconds(figure),
        _bars(span, values, highest, _seconds, now),
    )


def _in_steps(span: Span, ended: Iterable[Ended], now: datetime) -> list[list[Ended]]:
    steps: list[list[Ended]] = [[] for _step in range(span.steps)]
    for item in ended:
        number = span.step_of(now - item.finished_at)
        if 0 <= number < span.steps:
            steps[number].append(item)
    return steps


def _rate(items: Sequence[Ended]) -> float | None:
    return 100 * sum(item.is_success for item in items) / len(items) if items else None


def _wait(items: Sequence[Ended]) -> float | None:
    return median(waits) if (waits := [item.seconds for item in items if item.is_success]) else None


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"


def _bars(
    span: Span, values: Sequence[float | None], highest: float, words: Any, now: datetime
) -> list[Bar]:
    """One for each step; a step in which nothing ended has one without height."""
    bars = []
    for number, value in enumerate(values):
        height = 0 if value is None else max(1.5, HEIGHT * value / highest if highest else 0)
        begin = timezone.localtime(now - span.step * (span.steps - number))
        title = f"{format_date(begin, span.time_format)}: {words(value)}"
        bars.append(
            Bar(
                round(number * WIDTH / span.steps, 2),
                round(HEIGHT - height, 2),
                round(height, 2),
                title,
            )
        )
    return bars


def _mails(now: datetime) -> dict[str, int]:
    week = ExportMail.objects.filter(created_at__gte=now - timedelta(days=7))
    return {
        "given_up": week.filter(status=MailStatus.GAVE_UP).count(),
        "bounced": week.filter(bounced_at__isnull=False).count(),
        "late": ExportMail.objects.filter(status=MailStatus.PENDING, tries__gt=0).count(),
    }


def _storage() -> dict[str, str | int]:
    kept = ExportTask.objects.exclude(archive="").aggregate(
        files=Count("pk"), size=Sum("archive_bytes")
    )
    disk = shutil.disk_usage(settings.VAR_DIR)
    return {
        "files": kept["files"],
        "size": filesizeformat(kept["size"] or 0),
        "free": filesizeformat(disk.free),
    }
