"""Progress bar for management commands.

Written by hand, because a command's log needs lines: away from a terminal tqdm redraws one endless
line, and rich prints nothing before the end.
"""

from time import monotonic
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper

BAR_WIDTH = 40
TERMINAL_INTERVAL_SECONDS = 0.1
LOG_INTERVAL_SECONDS = 10


def draw_bar(done: int, total: int) -> str:
    filled = BAR_WIDTH * done // total if total else BAR_WIDTH
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"


class ProgressBar:
    """Progress bar on a terminal, or one line every ten seconds if the output is not a terminal.

    The final state is always written at the end of the `with` block, even after an exception.
    """

    def __init__(self, out: OutputWrapper, unit: str, total: int = 0) -> None:
        self.out, self.unit, self.total = out, unit, total
        self.done = 0
        self.is_terminal = out.isatty()
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

    def set_done(self, done: int) -> None:
        """Set the number of units done so far, and redraw if the interval has passed."""
        self.done = done
        interval = TERMINAL_INTERVAL_SECONDS if self.is_terminal else LOG_INTERVAL_SECONDS
        if monotonic() - self.shown_at >= interval:
            self._show("" if self.is_terminal else "\n")

    def _show(self, end: str) -> None:
        self.shown_at = monotonic()
        total = max(self.done, self.total)  # the total may be an estimate
        text = f"{self.done:,} of {total:,} {self.unit}, {self.rate:,.0f} a second"
        if self.is_terminal:
            text = f"\r{draw_bar(self.done, total)} {text}\x1b[K"
        self.out.write(text + end, style_func=str, ending="")  # without the red of stderr
        self.out.flush()

    @property
    def rate(self) -> float:
        """Units per second since the start."""
        return self.done / max(monotonic() - self.started_at, 0.001)
