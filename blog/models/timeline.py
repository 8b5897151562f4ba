"""The statement behind a home timeline: the newest posts of one reader and of whom they follow.

`author_id IN (...) ORDER BY created_at` has two plans, and each is bad for somebody: sorting every post of a thousand
busy people, or walking through everyone's posts in search of three people who hardly write. Here that walk ends after
RECENT posts, which are enough for whoever follows many. Where they are not, each author costs one look into the index
(author, created_at, id). A page of n posts can only hold the n authors whose newest post is the newest, and of each of
them their n newest posts: at most n * n are sorted, however many people and posts there are.
"""

import re
from typing import Any

from django.db import connection

from ..pagination import Cursor

MAX_KEY = 2**63 - 1
NAMED = re.compile(r"%\((\w+)\)s")  # RawSQL takes parameters by their order alone
# As long as it takes to look up thirty authors. Who follows one writer in twenty-five finds a page of 20 in so many.
RECENT = 500

# Nobody follows across a block.
STATEMENT = """
    WITH author AS MATERIALIZED (
        SELECT followed_id AS id FROM blog_follow WHERE follower_id = %(reader)s
        AND NOT EXISTS (SELECT 1 FROM blog_user WHERE id = followed_id AND NOT is_active)
        AND NOT EXISTS (SELECT 1 FROM blog_mute WHERE muter_id = %(reader)s AND muted_id = followed_id)
        UNION ALL SELECT %(reader)s
    ), recent AS MATERIALIZED (
        SELECT id, created_at, author_id, hidden_at FROM blog_post WHERE {older}
        ORDER BY created_at DESC, id DESC LIMIT %(recent)s
    ), near AS MATERIALIZED (
        SELECT id, created_at FROM recent WHERE hidden_at IS NULL AND author_id IN (SELECT id FROM author)
    ), leader AS (
        SELECT author.id FROM author CROSS JOIN {newest}
        WHERE (SELECT count(*) FROM near) < %(size)s AND (SELECT count(*) FROM recent) = %(recent)s
        ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(size)s
    ), found AS (
        SELECT theirs.id, theirs.created_at FROM leader CROSS JOIN {theirs}
        UNION SELECT id, created_at FROM near
    )
    SELECT id FROM found ORDER BY created_at DESC, id DESC LIMIT %(size)s
"""
OF_AUTHOR = """
    SELECT {columns} FROM blog_post WHERE author_id = {author}.id AND hidden_at IS NULL AND {older}
    ORDER BY created_at DESC, id DESC LIMIT {limit}
"""
# SQLite has no LATERAL; it keeps to the order of a CROSS JOIN.
JOINED = {
    "postgresql": ("LATERAL ({posts}) {name}", "id, created_at"),
    "sqlite": ("blog_post {name} ON {name}.id IN ({posts})", "id"),
}


def query(reader_id: int, cursor: Cursor | None, size: int) -> tuple[str, list[Any]]:
    """SQL for the keys of the `size` newest posts before the cursor, and its parameters."""
    older = "TRUE"
    parameters: dict[str, Any] = {"reader": reader_id, "size": size, "recent": RECENT}
    if cursor:
        older = "(created_at, id) < (%(moment)s, %(key)s)"
        parameters["moment"] = connection.ops.adapt_datetimefield_value(cursor.moment)
        parameters["key"] = max(-MAX_KEY, min(cursor.pk, MAX_KEY))
    joined, columns = JOINED[connection.vendor]

    def posts_of(author: str, name: str, limit: str) -> str:
        return joined.format(
            name=name,
            posts=OF_AUTHOR.format(
                columns=columns, author=author, older=older, limit=limit
            ).strip(),
        )

    newest, theirs = posts_of("author", "newest", "1"), posts_of("leader", "theirs", "%(size)s")
    sql = STATEMENT.format(older=older, newest=newest, theirs=theirs)
    return NAMED.sub("%s", sql), [parameters[name] for name in NAMED.findall(sql)]
