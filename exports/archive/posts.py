"""The archive of a person's posts; docs/archive-format.md says what is in it.

The database writes each post as JSON text: no model instance, and no string more than the line itself, is made for
a row.
"""

from collections.abc import Generator
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField
from django.db.models.sql.compiler import SQLCompiler

from blog.models import User

from .json_document import listing


class PostAsJSON(Func):
    """`{"body": ..., "timestamp": ...}` as text, the timestamp as Python's isoformat() in UTC with Z."""

    output_field = TextField()
    # With microseconds or, where they are 0, without a fraction; to_json() would cut zeros one by one. Put together by
    # hand, to the same text, because json_build_object() takes longer.
    template = (
        """'{"body" : ' || to_json(%(body)s)::text || ', "timestamp" : "' || replace(to_char(%(created_at)s AT TIME """
        """ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z"}'"""
    )
    # Django's own text for a datetime is isoformat() already; other lengths come from SQLite's clock (milliseconds).
    sqlite_template = (
        "json_object('body', %(body)s, 'timestamp', replace(CASE WHEN length(%(created_at)s) IN (19, 26) "
        "THEN %(created_at)s ELSE substr(%(created_at)s || '000000', 1, 26) END, ' ', 'T') || 'Z')"
    )

    def as_sql(  # type: ignore[override]  # a template of its own a vendor, and no parameters
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        body, created_at = (compiler.compile(source)[0] for source in self.get_source_expressions())
        template = self.sqlite_template if connection.vendor == "sqlite" else self.template
        return template % {"body": body, "created_at": created_at}, ()


def count(owner: User) -> int:
    return owner.posts.count()


def chunks(owner: User, rows: int) -> Generator[tuple[int, bytes]]:
    """The archive of all of `owner`'s posts, at most `rows` of them a chunk, from one SELECT: a snapshot."""
    lines = (
        owner.posts.oldest_first()
        .values_list(PostAsJSON("body", "created_at"), flat=True)
        .iterator(chunk_size=rows)
    )
    return listing(owner.username, "posts", cast("Generator[str]", lines), rows)
