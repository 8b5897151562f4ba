"""Paging by key: a page costs the same however far back it lies, and new posts do not shift it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import Http404

PAGE_SIZE = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row", bound=Model)


class Cursor(NamedTuple):
    """The last row of the page before."""

    moment: datetime
    pk: Any


BEGINNING = Cursor(EPOCH, 0)  # before every row


@dataclass(frozen=True)
class Page(Generic[Row]):
    items: list[Row]
    older: str | None
    """The `?before=` of the next page; None on the last."""
    is_newest: bool


def paginate(
    rows: QuerySet[Row], before: str | None, size: int = PAGE_SIZE, by: str = "created_at"
) -> Page[Row]:
    """The page of `rows`, newest first by the time `by` and key, that comes after the cursor; Http404 on a bad one."""
    return build_page(older_rows(rows, before, by), before, size, by)


def build_page(
    rows: QuerySet[Row], before: str | None, size: int = PAGE_SIZE, by: str = "created_at"
) -> Page[Row]:
    """The page of `rows` that are in order already, and begin after the cursor."""
    items = list(rows[: size + 1])
    older = format_cursor(items[size - 1], by) if len(items) > size else None
    return Page(items[:size], older, is_newest=before is None)


def older_rows(rows: QuerySet[Row], before: str | None, by: str = "created_at") -> QuerySet[Row]:
    """`rows` newest first, from the cursor on; Http404 on a bad one."""
    rows = rows.order_by(f"-{by}", "-pk")
    cursor = parse_cursor(before, rows.model)
    if cursor is None:
        return rows
    # The second condition bounds the index scan; the first alone would read every newer row too.
    older = Q(**{f"{by}__lt": cursor.moment}) | Q(pk__lt=cursor.pk)
    return rows.filter(older, **{f"{by}__lte": cursor.moment})


def newer_rows(rows: QuerySet[Row], cursor: Cursor) -> QuerySet[Row]:
    """`rows` oldest first, without those up to the cursor."""
    newer = Q(created_at__gt=cursor.moment) | Q(pk__gt=cursor.pk)
    return rows.filter(newer, created_at__gte=cursor.moment).order_by("created_at", "pk")


def parse_cursor(text: str | None, model: type[Model]) -> Cursor | None:
    """What a `?before=` says; Http404 on a bad one."""
    if text is None:
        return None
    moment, _, key = text.partition("-")
    try:
        return Cursor(EPOCH + timedelta(microseconds=int(moment)), model._meta.pk.to_python(key))
    except (ValueError, OverflowError, ValidationError) as error:
        raise Http404("bad cursor") from error


def format_cursor(row: Model, by: str = "created_at") -> str:
    """The `?before=` of what comes after the row."""
    moment: datetime = getattr(row, by)
    return f"{(moment - EPOCH) // timedelta(microseconds=1)}-{row.pk}"
