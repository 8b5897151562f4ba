"""Shift a process's wall clock CHAOS_CLOCK seconds ahead.

Python imports this module first because PYTHONPATH names its folder. libfaketime would also shift
the clock behind `time.sleep` and timeouts, which then fail or hang.
"""

import datetime
import os
import time
from typing import Any

SKEW_SECONDS = float(os.environ["CHAOS_CLOCK"])

_datetime, _time = datetime.datetime, time.time


class _AcceptsOriginalDatetime(type):
    """Metaclass whose classes accept instances of the original datetime, which C code creates."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _datetime)


class _SkewedDatetime(datetime.datetime, metaclass=_AcceptsOriginalDatetime):
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _datetime(*args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=SKEW_SECONDS)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetime.UTC).replace(tzinfo=None)


def _skewed_time() -> float:
    return _time() + SKEW_SECONDS


datetime.datetime = _SkewedDatetime  # type: ignore[misc]
time.time = _skewed_time
