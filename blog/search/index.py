"""Full-text index of posts and users: one words table beside each, kept current by triggers.

CJK characters are indexed as words of their own, because neither database finds a word of two such
characters inside a sentence otherwise. Case and accents of Latin letters do not count.
"""

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


class SearchBackend(Protocol):
    """Module with the SQL of one database."""

    TRIGGER_QUERY: str
    """Finds a trigger by table and name."""

    MATCH_QUERY: str
    """Selects the keys of the newest `limit` matches, best first."""

    def install_statements(self, index: SearchIndex, *, is_new: bool) -> list[str]: ...

    def match_expression(self, words: list[list[str]]) -> str: ...


def backend_for(connection: BaseDatabaseWrapper) -> SearchBackend:
    if connection.vendor == "sqlite":
        return sqlite
    return postgresql


def install(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Create missing words tables and triggers after each `migrate`.

    SQLite drops the triggers of a table when a migration rebuilds it.
    """
    connection = connections[using]
    backend = backend_for(connection)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for index in (POSTS, USERS):
            cursor.execute(backend.TRIGGER_QUERY, [index.table, f"{index.words_table}_changed"])
            if cursor.fetchone() is None:
                is_new = index.words_table not in connection.introspection.table_names()
                for statement in backend.install_statements(index, is_new=is_new):
                    cursor.execute(statement)
