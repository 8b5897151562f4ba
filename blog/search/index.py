"""Full-text index of posts and users: one words table beside each, kept current by triggers.

CJK characters are indexed as words of their own, because neither database finds a word of two such
characters inside a sentence otherwise. Case and accents of Latin letters do not count.
"""

# ruff: noqa: S608 - table names are constants of this module

from typing import Any, NamedTuple, Protocol

from django.apps import AppConfig
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from . import postgresql, sqlite


class SearchIndex(NamedTuple):
    """Indexed table, and an SQL expression for the text of one of its rows."""

    table: str
    text_template: str
    """SQL in which `{row}` stands for the alias of the row."""

    @property
    def words_table(self) -> str:
        return f"{self.table}_words"

    def text_sql(self, row: str) -> str:
        return self.text_template.format(row=row)


POSTS = SearchIndex("blog_post", text_template="{row}.body")
USERS = SearchIndex("blog_user", text_template="{row}.username || ' ' || {row}.about_me")


INDEXES = (POSTS, USERS)


class SearchBackend(Protocol):
    """Module with the SQL of one database."""

    TRIGGERS_QUERY: str
    """Selects the names of a table's triggers."""

    TRIGGERS: tuple[str, ...]
    """Last parts of the names of an index's triggers."""

    KEYS_TABLE: str
    """Table with a row for each indexed row, whose `id` it has."""

    MATCH_QUERY: str
    """Selects the keys of the newest `limit` matches, best first."""

    def build_statements(self, index: SearchIndex) -> list[str]:
        """Return SQL that builds an index with its triggers, or repairs it."""

    def match_expression(self, words: list[list[str]]) -> str: ...


def backend_for(connection: BaseDatabaseWrapper) -> SearchBackend:
    if connection.vendor == "sqlite":
        return sqlite
    return postgresql


def install(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Build or repair the indexes after each `migrate`.

    SQLite drops the triggers of a table when a migration rebuilds it. What the site writes from
    then on is not indexed until this repairs the index.
    """
    connection = connections[using]
    for index in INDEXES:
        if find_faults(index, connection):
            build(index, connection)


def build(index: SearchIndex, connection: BaseDatabaseWrapper) -> None:
    """Build an index from its table, which nobody can write to meanwhile."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in backend_for(connection).build_statements(index):
            cursor.execute(statement)


def find_faults(index: SearchIndex, connection: BaseDatabaseWrapper) -> list[str]:
    """Return what is wrong with an index; nothing if its table does not exist yet."""
    tables = connection.introspection.table_names()
    if index.table not in tables:
        return []
    if index.words_table not in tables:
        return ["it does not exist"]
    backend = backend_for(connection)
    keys = backend.KEYS_TABLE.format(words=index.words_table)
    faults = []
    with connection.cursor() as cursor:
        cursor.execute(backend.TRIGGERS_QUERY, [index.table])
        triggers = {name for (name,) in cursor.fetchall()}
        if not triggers.issuperset(f"{index.words_table}_{name}" for name in backend.TRIGGERS):
            faults.append("new changes are not indexed")
        if _has_other_rows(cursor, index.table, keys):
            faults.append("rows are missing")
        if _has_other_rows(cursor, keys, index.table):
            faults.append("it has deleted rows")
    return faults


def _has_other_rows(cursor: Any, table: str, other: str) -> bool:
    """Return whether a row of `table` has a key that `other` has not."""
    same = f"SELECT 1 FROM {other} WHERE {other}.id = {table}.id"
    cursor.execute(f"SELECT 1 FROM {table} WHERE NOT EXISTS ({same}) LIMIT 1")
    return cursor.fetchone() is not None
