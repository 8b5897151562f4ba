"""Helpers for rows that several processes may change at once."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

BATCH_SIZE = 500

Row = TypeVar("Row", bound=Model)


def change_each(rows: QuerySet[Row], change: Callable[[Row], object]) -> list[Row]:
    """Call `change` with the first `BATCH_SIZE` rows, each locked in a transaction of its own.

    Return the rows for which it returned a true value. Rows that another transaction holds, or
    that no longer belong to `rows`, are skipped.
    """
    # Not a generator: one that an exception leaves suspended would keep its transaction open until
    # the garbage is collected.
    changed = []
    for pk in list(rows.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            row = rows.filter(pk=pk).select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None and change(row):
                changed.append(row)
    return changed


def apply_update(row: Model, changes: Mapping[str, Any]) -> None:
    """Apply an UPDATE of the row to the object.

    Values that the database computed become deferred fields, which are read when needed.
    """
    for name, value in changes.items():
        if hasattr(value, "resolve_expression"):
            row.__dict__.pop(name, None)
        else:
            setattr(row, name, value)
