"""Rows that many processes may want to change."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

BATCH = 500

Row = TypeVar("Row", bound=Model)


def one_by_one(rows: QuerySet[Row]) -> Iterator[Row]:
    """Each of the first `BATCH` rows, in a transaction of its own that ends when the next is asked for.

    A row that another transaction has locked, or that is not one of `rows` any more, is passed over.
    """
    for pk in list(rows.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            row = rows.filter(pk=pk).select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None:
                yield row


def note(row: Model, changes: Mapping[str, Any]) -> None:
    """Let an object know what an UPDATE of its row has written; what the database worked out is read when needed."""
    for name, value in changes.items():
        if hasattr(value, "resolve_expression"):
            row.__dict__.pop(name, None)  # which makes it a deferred field
        else:
            setattr(row, name, value)
