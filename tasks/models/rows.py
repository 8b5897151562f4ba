"""Iteration over rows that several processes may want to change at once."""

from collections.abc import Iterator
from typing import TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

BATCH_SIZE = 500

Row = TypeVar("Row", bound=Model)


def each_locked(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield the first `BATCH_SIZE` rows, each locked in a transaction of its own.

    The transaction ends when the next row is asked for. Rows that another transaction holds, or
    that no longer belong to `rows`, are skipped.
    """
    for pk in list(rows.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            row = rows.filter(pk=pk).select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None:
                yield row
