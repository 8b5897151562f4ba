import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from model_bakery import baker

from blog.models import Follow, Post, User, timeline
from blog.pagination import cursor_of, first_page

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def authors(alice):
    """Four whom alice follows."""
    people = baker.make(User, username=iter("wxyz"), email="", _quantity=4)
    Follow.objects.bulk_create(Follow(follower=alice, followed=person) for person in people)
    return people


def posts_at(minutes):
    """A post for each pair of an author and so many minutes after noon."""
    rows = [
        Post(author=author, body="x", created_at=NOON + timedelta(minutes=m))
        for author, m in minutes
    ]
    return Post.objects.bulk_create(rows)


def walk(reader, size):
    items, before = [], None
    while True:
        page = first_page(Post.objects.followed_by(reader, before, size), before, size)
        items += page.items
        if page.older is None:
            return items
        before = page.older


def test_it_holds_ones_own_posts_and_those_of_the_followed(alice, bob, authors):
    own, followed, _strange = posts_at([(alice, 0), (authors[0], 1), (bob, 2)])
    assert walk(alice, 20) == [followed, own]


def test_whoever_follows_nobody_reads_their_own(alice, bob):
    (own, _strange) = posts_at([(alice, 0), (bob, 1)])
    assert walk(alice, 20) == [own]


@pytest.mark.parametrize("recent", [1, 6, timeline.RECENT])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_every_post_comes_once_and_in_order(alice, bob, authors, size, recent, monkeypatch):
    monkeypatch.setattr(timeline, "RECENT", recent)
    busy, quiet, *others = authors
    minutes = [(busy, m) for m in range(20)] + [(quiet, -9), (quiet, 7), (alice, 7), (bob, 7)]
    minutes += [(other, m) for other in others for m in (0, 0, 7, 7)]
    posts_at(minutes)
    expected = list(Post.objects.exclude(author=bob).newest_first())
    assert walk(alice, size) == expected


def test_a_key_past_every_number_is_no_error(alice):
    for key in ("9" * 30, "-" + "9" * 30):
        assert not Post.objects.followed_by(alice, f"1-{key}").exists()


@pytest.mark.parametrize("is_first", [True, False], ids=["first page", "later page"])
def test_no_table_is_read_as_a_whole(alice, authors, many_posts, is_first):
    posts = posts_at([(author, m) for author in authors for m in range(30)])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Few people follow few others here: without this, reading and sorting them all is as good as any plan.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("ANALYZE blog_post, blog_follow")
    before = None if is_first else cursor_of(posts[50])
    plan = Post.objects.followed_by(alice, before).select_related("author")[:21].explain()
    walk = (
        "USING INDEX blog_post_newest"
        if connection.vendor == "sqlite"
        else "using blog_post_newest"
    )
    assert plan.count(walk) == 1
    if connection.vendor == "sqlite":
        assert plan.count(f"SCAN blog_post {walk}") == (1 if is_first else 0)
        assert not re.search(
            r"SCAN (blog_\w+|theirs|newest)\b", plan.replace(f"SCAN blog_post {walk}", "")
        )
        assert plan.count("COVERING INDEX blog_post_author (author_id=?") == 2
        assert plan.count("(author_id=? AND created_at<?)") == (0 if is_first else 2)
    else:
        assert "Seq Scan" not in plan
        assert len(re.findall(r"Index (Only )?Scan Backward using blog_post_author", plan)) == 2
        assert plan.count("ROW(created_at, id) < ROW(") == (0 if is_first else 3)
