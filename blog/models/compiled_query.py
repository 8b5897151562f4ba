"""Statements of pages that are asked for all the time, put together once a process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import RawQuerySet

Row = TypeVar("Row", bound=Model)


class Prepared(Generic[Row]):
    """What `rows(*stand_ins)` selects, to be called with the values that belong in the stand-ins' places.

    Django takes many times as long to put such a statement together as the database takes to answer it. A stand-in is
    a value that no other parameter has, such as NOBODY. Annotations come as the database tells them: SQLite's truth
    is 1, its time a text.
    """

    def __init__(self, rows: Callable[..., QuerySet[Row]], *stand_ins: Any) -> None:
        self._rows, self._stand_ins = rows, stand_ins

    def __call__(self, *values: Any) -> RawQuerySet[Row]:
        model, sql, params = self._statement
        own = dict(zip(map(_adapted, self._stand_ins), map(_adapted, values), strict=True))
        return model._default_manager.raw(sql, [own.get(param, param) for param in params])

    @cached_property
    def _statement(self) -> tuple[type[Row], str, tuple[Any, ...]]:
        rows = self._rows(*self._stand_ins)
        sql, params = rows.query.get_compiler(connection=connection).as_sql()
        return rows.model, sql, tuple(params)


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
