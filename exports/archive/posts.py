"""Archive of a user's posts, as described in docs/archive-format.md.

The database writes each post as JSON text, so a row costs neither a model instance nor any
string other than the text itself.
"""

from collections.abc import Generator
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField
from django.db.models.sql.compiler import SQLCompiler

from blog.models import User

from .json_document import iter_json_document
from .output import Output


class PostAsJSON(Func):
    """`{"body": ..., "timestamp": ...}` as text, with the timestamp in ISO 8601 and UTC ("Z")."""

    output_field = TextField()
    # As isoformat() does: microseconds, or no fraction where they are 0. to_json() would trim
    # trailing zeros instead. Concatenation is faster than json_build_object().
    postgresql_template = (
        """'{"body" : ' || to_json(%(body)s)::text || ', "timestamp" : "' """
        """|| replace(to_char(%(created_at)s AT TIME ZONE 'UTC', """
        """'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z"}'"""
    )
    # Django stores a datetime as isoformat() text already (19 or 26 characters).
    # Other lengths come from SQLite's own clock, which writes milliseconds.
    sqlite_template = (
        "json_object('body', %(body)s, 'timestamp', "
        "replace(CASE WHEN length(%(created_at)s) IN (19, 26) THEN %(created_at)s "
        "ELSE substr(%(created_at)s || '000000', 1, 26) END, ' ', 'T') || 'Z')"
    )

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        return self._fill(self.postgresql_template, compiler, connection)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        return self._fill(self.sqlite_template, compiler, connection)

    def _fill(self, template: str, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        body, created_at = (compiler.compile(source)[0] for source in self.get_source_expressions())
        return self.as_sql(
            compiler, connection, template=template, body=body, created_at=created_at
        )


def count_posts(owner: User) -> int:
    return owner.posts.count()


def write(owner: User, out: Output, chunk_rows: int) -> Generator[int]:
    """Write the archive of `owner`'s posts, read by a single SELECT.

    Yield the number of posts after each chunk.
    """
    rows = (
        owner.posts.oldest_first()
        .values_list(PostAsJSON("body", "created_at"), flat=True)
        .iterator(chunk_size=chunk_rows)
    )
    chunks = iter_json_document(
        owner.username, "posts", cast("Generator[str]", rows), chunk_rows=chunk_rows
    )
    for added, data in chunks:
        out.write(data)
        yield added
