"""Full-text index of posts and users: one words table beside each, kept current by triggers.

The triggers index the column `search_text`, which `blog.models.searchable` fills. A row without it
is not indexed.
"""

# ruff: noqa: S608 - table names are those of our models

from typing import Any, Protocol

from django.apps import AppConfig, apps
from django.apps.registry import Apps
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ..models import Post, User
from ..models.searchable import SearchableModel, build_search_text
from . import postgresql, sqlite

MODELS: tuple[type[SearchableModel], ...] = (Post, User)
BATCH_SIZE = 500  # rows per transaction


class SearchBackend(Protocol):
    """Module with the SQL of one database."""

    COLUMNS_QUERY: str
    """Selects the names of a table's columns; none if there is no such table."""

    TRIGGERS_QUERY: str
    """Selects the names of a table's triggers."""

    TRIGGERS: tuple[str, ...]
    """Last parts of the names of an index's triggers."""

    KEYS_TABLE: str
    """Table with a row for each indexed row, whose `id` it has."""

    MATCH_QUERY: str
    """Selects the keys of the newest `limit` matches, best first."""

    def build_statements(self, table: str, words: str) -> list[str]:
        """Return SQL that builds an index with its triggers, or repairs it."""

    def match_expression(self, words: list[list[str]]) -> str: ...


def backend_for(connection: BaseDatabaseWrapper) -> SearchBackend:
    return sqlite if connection.vendor == "sqlite" else postgresql


def words_table(model: type[SearchableModel]) -> str:
    return f"{model._meta.db_table}_words"


def install(sender: AppConfig, using: str, apps: Apps = apps, **kwargs: Any) -> None:
    """Build or repair the indexes after each `migrate`, and index rows without a search text.

    SQLite drops the triggers of a table when a migration rebuilds it. What the site writes from
    then on is not indexed until this repairs the index. Tables that are migrated back to before the
    column existed are left alone.
    """
    for model in MODELS:
        if _has_search_text(apps.get_model(model._meta.label)):
            if find_faults(model, connections[using]):
                build(model, connections[using])
            while fill_batch(model, using):
                pass


def _has_search_text(model: Any) -> bool:
    try:
        model._meta.get_field("search_text")
    except FieldDoesNotExist:
        return False
    return True


def build(model: type[SearchableModel], connection: BaseDatabaseWrapper) -> None:
    """Build an index from its table, which nobody can write to meanwhile."""
    statements = backend_for(connection).build_statements(model._meta.db_table, words_table(model))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def find_faults(model: type[SearchableModel], connection: BaseDatabaseWrapper) -> list[str]:
    """Return what is wrong with an index; nothing if its table or column does not exist yet."""
    backend = backend_for(connection)
    table, words = model._meta.db_table, words_table(model)
    with connection.cursor() as cursor:
        if "search_text" not in _names(cursor, backend.COLUMNS_QUERY, table):
            return []
        if words not in connection.introspection.table_names(cursor):
            return ["it does not exist"]
        faults = []
        triggers = _names(cursor, backend.TRIGGERS_QUERY, table)
        if not triggers.issuperset(f"{words}_{name}" for name in backend.TRIGGERS):
            faults.append("new changes are not indexed")
        keys = backend.KEYS_TABLE.format(words=words)
        indexed = f"(SELECT id FROM {table} WHERE search_text IS NOT NULL)"
        if _has_other_rows(cursor, indexed, keys):
            faults.append("rows are missing")
        if _has_other_rows(cursor, keys, indexed):
            faults.append("it has deleted rows")
    return faults


def _names(cursor: Any, query: str, table: str) -> set[str]:
    cursor.execute(query, [table])
    return {name for (name,) in cursor.fetchall()}


def _has_other_rows(cursor: Any, rows: str, others: str) -> bool:
    """Return whether one of `rows` has a key that `others` have not; both are tables in SQL."""
    same = f"SELECT 1 FROM {others} AS other WHERE other.id = one.id"
    cursor.execute(f"SELECT 1 FROM {rows} AS one WHERE NOT EXISTS ({same}) LIMIT 1")
    return cursor.fetchone() is not None


def fill_batch(model: type[SearchableModel], using: str = "default") -> int:
    """Compute the search text of rows without one, which indexes them; return their number."""
    table = model._meta.db_table
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # Skip locked rows: whoever saves them computes their search text.
        missing = model._base_manager.using(using).filter(search_text=None).order_by("pk")
        rows = missing.only("pk", *model.search_fields)[:BATCH_SIZE]
        texts = [
            (build_search_text(row), row.pk)
            for row in rows.select_for_update(skip_locked=True, no_key=True)
        ]
        cursor.executemany(f"UPDATE {table} SET search_text = %s WHERE id = %s", texts)
    return len(texts)


def fill_missing() -> None:
    """Index the rows that an older version wrote during an upgrade."""
    for model in MODELS:
        fill_batch(model)
