"""Common style of the plots; equal figures give equal bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STYLE: Any = {
    "svg.hashsalt": "microblog",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


@contextmanager
def figure(path: Path, *, title: str, x: str, y: str, scale: str | None = "log") -> Iterator[Any]:
    """Yield axes to draw on, and write them to `path` after the block.

    `x` and `y` are the labels. Both axes get the `scale`; None keeps the scale of the drawing.
    """
    import matplotlib  # installed by `make bench` only

    matplotlib.use("svg")
    from matplotlib import pyplot, ticker

    with matplotlib.rc_context(STYLE):
        drawing, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        yield axes
        axes.set(title=title, xlabel=x, ylabel=y)
        if scale is not None:
            axes.set(xscale=scale, yscale=scale)
        if scale == "log":
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(ticker.LogFormatter(labelOnlyBase=False))
        axes.legend()
        drawing.savefig(path, metadata={"Date": None})
        pyplot.close(drawing)
