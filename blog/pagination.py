"""Keyset pagination: pages cost the same at any depth, and new rows do not shift older pages."""

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
    """Sort key of a row: a timestamp and the primary key."""

    moment: datetime
    pk: Any


BEGINNING = Cursor(EPOCH, 0)  # older than every row


@dataclass(frozen=True)
class Page(Generic[Row]):
    items: list[Row]
    older: str | None
    """The `?before=` of the next page; None on the last page."""
    is_newest: bool


def paginate(
    rows: QuerySet[Row], before: str | None, size: int = PAGE_SIZE, order_by: str = "created_at"
) -> Page[Row]:
    """Return the page of `rows` older than the cursor `before`, newest first.

    Raises Http404 on an invalid cursor.
    """
    return build_page(older_rows(rows, before, order_by), before, size, order_by)


def build_page(
    rows: QuerySet[Row], before: str | None, size: int = PAGE_SIZE, order_by: str = "created_at"
) -> Page[Row]:
    """Return the first `size` rows as a page; `rows` are sorted and start at the cursor."""
    items = list(rows[: size + 1])
    older = format_cursor(items[size - 1], order_by) if len(items) > size else None
    return Page(items[:size], older, is_newest=before is None)


def older_rows(
    rows: QuerySet[Row], before: str | None, order_by: str = "created_at"
) -> QuerySet[Row]:
    """Return `rows` older than the cursor, newest first. Raises Http404 on an invalid cursor."""
    rows = rows.order_by(f"-{order_by}", "-pk")
    cursor = parse_cursor(before, rows.model)
    if cursor is None:
        return rows
    # The second condition bounds the index scan. With the first alone, every newer row is read too.
    is_older = Q(**{f"{order_by}__lt": cursor.moment}) | Q(pk__lt=cursor.pk)
    return rows.filter(is_older, **{f"{order_by}__lte": cursor.moment})


def newer_rows(rows: QuerySet[Row], cursor: Cursor) -> QuerySet[Row]:
    """Return `rows` newer than the cursor, oldest first."""
    is_newer = Q(created_at__gt=cursor.moment) | Q(pk__gt=cursor.pk)
    return rows.filter(is_newer, created_at__gte=cursor.moment).order_by("created_at", "pk")


def parse_cursor(text: str | None, model: type[Model]) -> Cursor | None:
    """Parse "<microseconds since 1970>-<primary key>". Raises Http404 on an invalid cursor."""
    if text is None:
        return None
    moment, _, key = text.partition("-")
    try:
        return Cursor(EPOCH + timedelta(microseconds=int(moment)), model._meta.pk.to_python(key))
    except (ValueError, OverflowError, ValidationError) as error:
        raise Http404("invalid cursor") from error


def format_cursor(row: Model, order_by: str = "created_at") -> str:
    moment: datetime = getattr(row, order_by)
    return f"{(moment - EPOCH) // timedelta(microseconds=1)}-{row.pk}"
