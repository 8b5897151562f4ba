"""Full-text index of posts and users: one words table beside each, kept current by triggers.

The triggers index the column `search_text`, which `blog.models.searchable` fills. A row without it
is not indexed.
"""

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

    TRIGGER_QUERY: str
    """Finds a trigger by table and name."""

    MATCH_QUERY: str
    """Selects the keys of the newest `limit` matches, best first."""

    def install_statements(self, table: str, words: str, *, is_new: bool) -> list[str]: ...

    def match_expression(self, words: list[list[str]]) -> str: ...


def backend_for(connection: BaseDatabaseWrapper) -> SearchBackend:
    return sqlite if connection.vendor == "sqlite" else postgresql


def words_table(model: type[SearchableModel]) -> str:
    return f"{model._meta.db_table}_words"


def install(sender: AppConfig, using: str, apps: Apps = apps, **kwargs: Any) -> None:
    """Create missing words tables and triggers after each `migrate`, and index the other rows.

    SQLite drops the triggers of a table when a migration rebuilds it. Tables that are migrated back
    to before the column existed are left alone.
    """
    for model in MODELS:
        if _has_search_text(apps.get_model(model._meta.label)):
            _install_triggers(model, using)
            while fill_batch(model, using):
                pass


def _has_search_text(model: Any) -> bool:
    try:
        model._meta.get_field("search_text")
    except FieldDoesNotExist:
        return False
    return True


def _install_triggers(model: type[SearchableModel], using: str) -> None:
    connection = connections[using]
    backend = backend_for(connection)
    table, words = model._meta.db_table, words_table(model)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(backend.TRIGGER_QUERY, [table, f"{words}_changed"])
        if cursor.fetchone() is None:
            is_new = words not in connection.introspection.table_names()
            for statement in backend.install_statements(table, words, is_new=is_new):
                cursor.execute(statement)


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
        update = f"UPDATE {table} SET search_text = %s WHERE id = %s"  # noqa: S608 - our table
        cursor.executemany(update, texts)
    return len(texts)


def fill_missing() -> None:
    """Index the rows that an older version wrote during an upgrade."""
    for model in MODELS:
        fill_batch(model)
