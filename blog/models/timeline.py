"""SQL of the home timeline: the newest posts of a user and of the users they follow.

`author_id IN (...) ORDER BY created_at` has two plans, and both have a bad case: to sort all posts
of a thousand busy authors, or to walk through the posts of all authors in search of three quiet
ones. Here the walk ends after MAX_SCANNED_POSTS, which is enough for a user who follows many. Where
it is not, each author costs one lookup in the index (author, created_at, id). A page of n posts can
hold only the n authors whose newest post is the newest, and the n newest posts of each: at most
n * n rows are sorted, however many users and posts there are.
"""

import re
from typing import Any

from django.db import connection

from ..pagination import Cursor

MAX_KEY = 2**63 - 1
NAMED_PARAMETER = re.compile(r"%\((\w+)\)s")  # RawSQL takes positional parameters only
# As expensive as thirty lookups of authors. A user who follows one author in twenty-five finds a
# page of 20 posts among so many.
MAX_SCANNED_POSTS = 500

# A block ends following, so the query need not check for blocks.
STATEMENT = """
    WITH author AS MATERIALIZED (
        SELECT followed_id AS id FROM blog_follow WHERE follower_id = %(user)s
        AND NOT EXISTS (SELECT 1 FROM blog_user WHERE id = followed_id AND NOT is_active)
        AND NOT EXISTS (
            SELECT 1 FROM blog_mute WHERE muter_id = %(user)s AND muted_id = followed_id
        )
        UNION ALL SELECT %(user)s
    ), scanned AS MATERIALIZED (
        SELECT id, created_at, author_id, hidden_at FROM blog_post WHERE {is_older}
        ORDER BY created_at DESC, id DESC LIMIT %(max_scanned)s
    ), scanned_match AS MATERIALIZED (
        SELECT id, created_at FROM scanned
        WHERE hidden_at IS NULL AND author_id IN (SELECT id FROM author)
    ), page_author AS (
        SELECT author.id FROM author CROSS JOIN {newest_post}
        WHERE (SELECT count(*) FROM scanned_match) < %(size)s
        AND (SELECT count(*) FROM scanned) = %(max_scanned)s
        ORDER BY newest_post.created_at DESC, newest_post.id DESC LIMIT %(size)s
    ), candidate AS (
        SELECT author_post.id, author_post.created_at FROM page_author CROSS JOIN {author_posts}
        UNION SELECT id, created_at FROM scanned_match
    )
    SELECT id FROM candidate ORDER BY created_at DESC, id DESC LIMIT %(size)s
"""
POSTS_OF_AUTHOR = """
    SELECT {columns} FROM blog_post
    WHERE author_id = {author}.id AND hidden_at IS NULL AND {is_older}
    ORDER BY created_at DESC, id DESC LIMIT {limit}
"""
# SQLite has no LATERAL, but it keeps the order of a CROSS JOIN.
LATERAL_JOINS = {
    "postgresql": ("LATERAL ({posts}) {name}", "id, created_at"),
    "sqlite": ("blog_post {name} ON {name}.id IN ({posts})", "id"),
}


def build_query(user_pk: int, cursor: Cursor | None, size: int) -> tuple[str, list[Any]]:
    """Return SQL for the primary keys of `size` posts before the cursor, and its parameters."""
    is_older = "TRUE"
    parameters: dict[str, Any] = {
        "user": user_pk,
        "size": size,
        "max_scanned": MAX_SCANNED_POSTS,
    }
    if cursor:
        is_older = "(created_at, id) < (%(moment)s, %(key)s)"
        parameters["moment"] = connection.ops.adapt_datetimefield_value(cursor.moment)
        parameters["key"] = max(-MAX_KEY, min(cursor.pk, MAX_KEY))
    join, columns = LATERAL_JOINS[connection.vendor]

    def join_posts(author: str, name: str, limit: str) -> str:
        posts = POSTS_OF_AUTHOR.format(
            columns=columns, author=author, is_older=is_older, limit=limit
        )
        return join.format(name=name, posts=posts.strip())

    sql = STATEMENT.format(
        is_older=is_older,
        newest_post=join_posts("author", name="newest_post", limit="1"),
        author_posts=join_posts("page_author", name="author_post", limit="%(size)s"),
    )
    return NAMED_PARAMETER.sub("%s", sql), [
        parameters[name] for name in NAMED_PARAMETER.findall(sql)
    ]
