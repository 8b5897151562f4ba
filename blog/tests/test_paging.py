import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.http import Http404
from model_bakery import baker

from blog.models import Post
from blog.pagination import paginate, rows_after

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def posts(alice):
    """Seven posts, newest first; the middle three were written in the same microsecond."""
    minutes = [3, 2, 0, 0, 0, -2, -3]
    made = [
        baker.make(Post, author=alice, created_at=NOON + timedelta(minutes=m))
        for m in reversed(minutes)
    ]
    return made[::-1]


def walk(size):
    items, before = [], None
    while True:
        page = paginate(Post.objects.all(), before, size)
        items.append(page.items)
        if page.older is None:
            return items
        before = page.older


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_every_row_comes_once_and_in_order(posts, size):
    pages = walk(size)
    assert [post for page in pages for post in page] == posts
    assert all(len(page) == size for page in pages[:-1])


def test_new_rows_do_not_shift_older_pages(posts, alice):
    older = paginate(Post.objects.all(), None, 3).older
    baker.make(Post, author=alice, created_at=NOON + timedelta(hours=1))
    assert paginate(Post.objects.all(), older, 3).items == posts[3:6]


def test_it_survives_that_the_row_of_the_cursor_is_gone(posts):
    older = paginate(Post.objects.all(), None, 3).older
    posts[2].delete()
    assert paginate(Post.objects.all(), older, 3).items == posts[3:6]


def test_nothing_is_a_page_too():
    page = paginate(Post.objects.all(), None)
    assert (page.items, page.older, page.is_newest) == ([], None, True)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "x-1",
        "1-x",
        "1-\0",
        f"1-{UUID(int=1)}",
        "9" * 30 + "-1",
        "9" * 5000 + "-1",
    ],
)
def test_a_bad_cursor_is_not_found(cursor):
    with pytest.raises(Http404):
        paginate(Post.objects.all(), cursor)


@pytest.mark.parametrize("key", ["9" * 30, "-" + "9" * 30])
def test_a_key_past_every_number_is_no_error(posts, key):
    paginate(Post.objects.all(), f"1-{key}")


@pytest.fixture
def plan(many_posts):
    """The database's plan for a page in the middle; on PostgreSQL without what few rows invite."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return lambda rows: rows_after(rows, f"{int(NOON.timestamp())}000000-5")[:20].explain()


@pytest.mark.parametrize(
    ("of_author", "index"),
    [(False, "blog_post_newest"), (True, "blog_post_author")],
    ids=["home", "profile"],
)
def test_a_page_is_read_from_its_index(posts, alice, plan, of_author, index):
    rows = alice.posts.all() if of_author else Post.objects.all()
    steps = plan(rows.select_related("author"))
    if connection.vendor == "sqlite":
        assert re.search(rf"SEARCH blog_post USING INDEX {index} \(.*created_at<\?\)", steps)
    else:
        assert re.search(rf"Index Scan.* using {index} .*\n\s+Index Cond: .*created_at <= ", steps)
    assert not re.search("Sort|TEMP B-TREE", steps)
