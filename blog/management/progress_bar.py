"""How far a command is, for whoever waits at a terminal or reads its log."""

from time import monotonic
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper

WIDTH = 30


class ProgressBar:
    """A bar that fills in place on a terminal; elsewhere a line every ten seconds, and one at the end.

    The last state is written on leaving the `with` block, whatever ends it.
    """

    def __init__(self, out: OutputWrapper, unit: str, total: int = 0) -> None:
        self.out, self.unit, self.total = out, unit, total
        self.done = 0
        self.in_place = out.isatty()
        self.started_at = self.shown_at = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._show("\n")

    def advance(self, done: int) -> None:
        """Note that `done` are done, and show it when it is time to."""
        self.done = done
        if monotonic() - self.shown_at >= (0.1 if self.in_place else 10):
            self._show("" if self.in_place else "\n")

    def _show(self, end: str) -> None:
        self.shown_at = monotonic()
        total = max(self.done, self.total)  # the total may be an estimate
        text = f"{self.done:,} of {total:,} {self.unit}, {self.rate:,.0f} a second"
        if self.in_place:
            filled = WIDTH * self.done // total if total else WIDTH
            text = f"\r[{'#' * filled}{'.' * (WIDTH - filled)}] {text}\x1b[K"
        self.out.write(text + end, style_func=str, ending="")  # not in the red of errors
        self.out.flush()

    @property
    def rate(self) -> float:
        """So many a second since the beginning."""
        return self.done / max(monotonic() - self.started_at, 0.001)
