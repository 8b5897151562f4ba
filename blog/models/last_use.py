"""Times of last use: of accounts, sessions and API tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

TOUCH_INTERVAL = timedelta(minutes=1)


def touch(rows: QuerySet[Any], field: str, last: datetime | None) -> bool:
    """Set the time `field` of `rows` to now, at most once a minute; return whether it was due.

    `last` is the known time of the last touch. It is compared in Python first, because on SQLite
    an UPDATE locks even if no row matches.
    """
    now = timezone.now()
    cutoff = now - TOUCH_INTERVAL
    if last and last > cutoff:
        return False
    is_due = Q((field, None)) | Q((f"{field}__lte", cutoff))
    rows.filter(is_due).update(**{field: now})
    return True
