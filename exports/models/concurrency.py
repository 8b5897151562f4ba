"""Leases on the database's clock, row locks and conditional updates."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, Expression, ExpressionWrapper, Model, QuerySet, Value
from django.db.models.functions import Now

BATCH_SIZE = 500

Row = TypeVar("Row", bound=Model)


def from_now(seconds: float) -> Expression:
    """Return the database's time plus `seconds`, which may be negative.

    The clocks of several machines differ, so only the database's decides what has expired.
    """
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def lease_expiry() -> Expression:
    return from_now(settings.EXPORT_LEASE_SECONDS)


def sweep_after() -> Expression:
    """Return the time before which the sweeper leaves work alone that was just enqueued."""
    return from_now(2 * settings.EXPORT_TICK_SECONDS)


def each_locked(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield the first `BATCH_SIZE` rows, each locked in its own transaction.

    The transaction ends when the next row is requested. Rows that are locked elsewhere, or no
    longer match, are skipped.
    """
    for pk in list(rows.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            row = rows.filter(pk=pk).select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None:
                yield row


def apply_update(row: Model, changes: Mapping[str, Any]) -> None:
    """Copy the values of an UPDATE to the object; defer those that the database computed."""
    for name, value in changes.items():
        if hasattr(value, "resolve_expression"):
            row.__dict__.pop(name, None)  # a missing attribute is loaded on the next access
        else:
            setattr(row, name, value)
