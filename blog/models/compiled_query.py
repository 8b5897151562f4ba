"""Frequent queries, compiled to SQL once per process."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import RawQuerySet

# Random, so that no other parameter of a query can be equal to one of them.
PK_PLACEHOLDER = -secrets.randbelow(2**62) - 2**62
TEXT_PLACEHOLDER = secrets.token_hex()
TIME_PLACEHOLDER = datetime(9999, 12, 31, 23, 59, 59, secrets.randbelow(10**6), tzinfo=UTC)

Row = TypeVar("Row", bound=Model)


class CompiledQuery(Generic[Row]):
    """Query compiled with placeholders and executed with values in their places.

    Compiling a query of many subqueries takes Django many times longer than the database needs to
    answer it. Annotations come as the database returns them: on SQLite a boolean is 0 or 1 and a
    time is text in UTC.
    """

    def __init__(self, build: Callable[..., QuerySet[Row]], *placeholders: Any) -> None:
        self._build, self._placeholders = build, placeholders

    def __call__(self, *values: Any) -> RawQuerySet[Row]:
        model, sql, params = self._compiled
        replacements = dict(zip(map(_adapt, self._placeholders), map(_adapt, values), strict=True))
        params = tuple(replacements.get(param, param) for param in params)
        return model._default_manager.raw(sql, params)

    @cached_property
    def _compiled(self) -> tuple[type[Row], str, tuple[Any, ...]]:
        queryset = self._build(*self._placeholders)
        sql, params = queryset.query.get_compiler(connection=connection).as_sql()
        for placeholder in self._placeholders:
            if _adapt(placeholder) not in params:
                raise ValueError(f"Placeholder {placeholder!r} is not a parameter of the query.")
        return queryset.model, sql, tuple(params)


def _adapt(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
