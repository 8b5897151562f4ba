"""What a benchmark holds a figure against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One line of the table: `figure` and `bar` are in words, with their units; `raw` is the limit measured beside."""

    number: int
    what: str
    figure: str
    raw: str
    bar: str
    is_met: bool
