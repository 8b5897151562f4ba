"""The statement behind a home timeline: the newest posts of one reader and of whom they follow.

`author_id IN (...) ORDER BY created_at` has two plans, and each is bad for somebody: sorting every post of a thousand
busy people, or walking through everyone's posts in search of three people who hardly write. Here each author costs one
look into the index (author, created_at, id). A page of n posts can only hold the n authors whose newest post is the
newest, and of each of them their n newest posts: at most n * n are sorted, however many people and posts there are.
"""

from typing import Any

from django.db import connection

from .paging import Cursor

MAX_KEY = 2**63 - 1

# Nobody follows across a block.
FOLLOWED = """
        SELECT followed_id AS id FROM blog_follow JOIN blog_user ON blog_user.id = followed_id AND is_active
        WHERE follower_id = %s AND NOT EXISTS (SELECT 1 FROM blog_mute WHERE muter_id = %s AND muted_id = followed_id)
    """

POSTGRESQL = """
    WITH author AS (
        {followed} UNION ALL SELECT %s
    ), leader AS (
        SELECT author.id FROM author CROSS JOIN LATERAL (
            SELECT id, created_at FROM blog_post WHERE author_id = author.id AND hidden_at IS NULL {older}
            ORDER BY created_at DESC, id DESC LIMIT 1
        ) newest
        ORDER BY newest.created_at DESC, newest.id DESC LIMIT %s
    )
    SELECT post.id FROM leader CROSS JOIN LATERAL (
        SELECT id, created_at FROM blog_post WHERE author_id = leader.id AND hidden_at IS NULL {older}
        ORDER BY created_at DESC, id DESC LIMIT %s
    ) post
    ORDER BY post.created_at DESC, post.id DESC LIMIT %s
"""

# SQLite has no LATERAL; it keeps to the order of a CROSS JOIN.
SQLITE = """
    WITH author AS (
        {followed} UNION ALL SELECT %s
    ), leader AS (
        SELECT author.id FROM author CROSS JOIN blog_post newest ON newest.id = (
            SELECT id FROM blog_post WHERE author_id = author.id AND hidden_at IS NULL {older}
            ORDER BY created_at DESC, id DESC LIMIT 1
        )
        ORDER BY newest.created_at DESC, newest.id DESC LIMIT %s
    )
    SELECT post.id FROM leader CROSS JOIN blog_post post ON post.id IN (
        SELECT id FROM blog_post WHERE author_id = leader.id AND hidden_at IS NULL {older}
        ORDER BY created_at DESC, id DESC LIMIT %s
    )
    ORDER BY post.created_at DESC, post.id DESC LIMIT %s
"""


def query(reader_id: int, cursor: Cursor | None, size: int) -> tuple[str, list[Any]]:
    """SQL for the keys of the `size` newest posts before the cursor, and its parameters."""
    older, bounds = "", []
    if cursor:
        older = "AND (created_at, id) < (%s, %s)"
        moment = connection.ops.adapt_datetimefield_value(cursor.moment)
        bounds = [moment, max(-MAX_KEY, min(cursor.pk, MAX_KEY))]
    sql = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    authors = [reader_id] * 3
    return sql.format(followed=FOLLOWED.strip(), older=older), [*authors, *bounds, size, *bounds, size, size]
