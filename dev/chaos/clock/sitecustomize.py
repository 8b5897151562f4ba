"""Puts the wall clock of a process CHAOS_CLOCK seconds ahead, before anything else is imported: PYTHONPATH leads here.

libfaketime cannot do it: it also shifts the clock that Python's own pauses are measured with, which then fail or hang.
"""

import datetime
import os
import time
from typing import Any

AHEAD = float(os.environ["CHAOS_CLOCK"])

_datetime, _time = datetime.datetime, time.time


class _Lenient(type):
    """What is made anywhere is an ordinary datetime, and has to count as one of ours."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _datetime)


class _Ahead(datetime.datetime, metaclass=_Lenient):
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _datetime(*args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=AHEAD)

    @classmethod
    def utcnow(cls) -> Any:
        return _datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=AHEAD)


datetime.datetime = _Ahead  # type: ignore[misc]
time.time = lambda: _time() + AHEAD
