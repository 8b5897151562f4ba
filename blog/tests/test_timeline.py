import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from model_bakery import baker

from blog.models import Follow, Post, User, timeline
from blog.pagination import build_page, format_cursor

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def authors(alice):
    """Create four users whom alice follows."""
    users = baker.make(User, username=iter("wxyz"), email="", _quantity=4)
    Follow.objects.bulk_create(Follow(follower=alice, followed=user) for user in users)
    return users


def posts_at(minutes):
    """Create a post for each pair of an author and minutes after noon."""
    rows = [
        Post(author=author, body="x", created_at=NOON + timedelta(minutes=m))
        for author, m in minutes
    ]
    return Post.objects.bulk_create(rows)


def read_all_pages(user, size):
    items, before = [], None
    while True:
        page = build_page(Post.objects.timeline_of(user, before, size), before, size)
        items += page.items
        if page.older is None:
            return items
        before = page.older


def test_timeline_has_own_and_followed_posts(alice, bob, authors):
    own, followed, _stranger = posts_at([(alice, 0), (authors[0], 1), (bob, 2)])
    assert read_all_pages(alice, 20) == [followed, own]


def test_timeline_without_follows_has_own_posts(alice, bob):
    (own, _stranger) = posts_at([(alice, 0), (bob, 1)])
    assert read_all_pages(alice, 20) == [own]


@pytest.mark.parametrize("max_scanned", [1, 6, timeline.MAX_SCANNED_POSTS])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_timeline_pages_hold_every_post_in_order(
    alice, bob, authors, size, max_scanned, monkeypatch
):
    monkeypatch.setattr(timeline, "MAX_SCANNED_POSTS", max_scanned)
    busy, quiet, *others = authors
    minutes = [(busy, m) for m in range(20)] + [(quiet, -9), (quiet, 7), (alice, 7), (bob, 7)]
    minutes += [(other, m) for other in others for m in (0, 0, 7, 7)]
    posts_at(minutes)
    expected = list(Post.objects.exclude(author=bob).newest_first())
    assert read_all_pages(alice, size) == expected


def test_timeline_accepts_cursor_with_huge_key(alice):
    for key in ("9" * 30, "-" + "9" * 30):
        assert not Post.objects.timeline_of(alice, f"1-{key}").exists()


@pytest.mark.parametrize("is_first", [True, False], ids=["first page", "later page"])
def test_timeline_uses_indexes(alice, authors, many_posts, is_first):
    posts = posts_at([(author, m) for author in authors for m in range(30)])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # The tables are small, so PostgreSQL would prefer to read them whole.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("ANALYZE blog_post, blog_follow")
    before = None if is_first else format_cursor(posts[50])
    plan = Post.objects.timeline_of(alice, before).select_related("author")[:21].explain()
    scan = (
        "USING INDEX blog_post_newest"
        if connection.vendor == "sqlite"
        else "using blog_post_newest"
    )
    assert plan.count(scan) == 1
    if connection.vendor == "sqlite":
        assert plan.count(f"SCAN blog_post {scan}") == (1 if is_first else 0)
        assert not re.search(
            r"SCAN (blog_\w+|author_post|newest_post)\b", plan.replace(f"SCAN blog_post {scan}", "")
        )
        assert plan.count("COVERING INDEX blog_post_author (author_id=?") == 2
        assert plan.count("(author_id=? AND created_at<?)") == (0 if is_first else 2)
    else:
        assert "Seq Scan" not in plan
        assert len(re.findall(r"Index (Only )?Scan Backward using blog_post_author", plan)) == 2
        assert plan.count("ROW(created_at, id) < ROW(") == (0 if is_first else 3)
