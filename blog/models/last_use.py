"""Times of last use: of accounts, sessions and API tokens."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Q, QuerySet
from django.utils import timezone

logger = logging.getLogger(__name__)

TOUCH_INTERVAL = timedelta(minutes=1)


def touch(rows: QuerySet[Any], field: str, last: datetime | None) -> bool:
    """Set the time `field` of `rows` to now, at most once a minute; return whether it was due.

    `last` is the known time of the last touch. It is compared in Python first, because on SQLite
    an UPDATE locks even if no row matches. A page need not fail because the database is locked.
    """
    now = timezone.now()
    cutoff = now - TOUCH_INTERVAL
    if last and last > cutoff:
        return False
    is_due = Q((field, None)) | Q((f"{field}__lte", cutoff))
    try:
        rows.filter(is_due).update(**{field: now})
    except OperationalError as error:
        logger.warning("%s was not saved: %s", field, error)
        return False
    return True
