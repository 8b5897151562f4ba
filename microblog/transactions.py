"""Work that belongs after the commit of a transaction."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction


def run_after_commit(function: Callable[..., object], *args: Any) -> None:
    """Call `function` once the transaction is committed, or at once outside of one.

    The change is saved by then, so an error is logged, and stops neither the request nor later
    calls. A `partial` would not do: Django names the function in the log line, so that an error in
    a partial, which has no name, would raise AttributeError.
    """

    @wraps(function)
    def call() -> None:
        function(*args)

    transaction.on_commit(call, robust=True)
