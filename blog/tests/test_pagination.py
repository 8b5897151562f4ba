import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.http import Http404
from model_bakery import baker

from blog.models import Post
from blog.pagination import older_rows, paginate

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def posts(alice):
    """Create seven posts, newest first; the middle three have the same timestamp."""
    minutes = [3, 2, 0, 0, 0, -2, -3]
    created = [
        baker.make(Post, author=alice, created_at=NOON + timedelta(minutes=m))
        for m in reversed(minutes)
    ]
    return created[::-1]


def all_pages(size):
    pages, before = [], None
    while True:
        page = paginate(Post.objects.all(), before, size)
        pages.append(page.items)
        if page.older is None:
            return pages
        before = page.older


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_pages_hold_every_row_once_in_order(posts, size):
    pages = all_pages(size)
    assert [post for page in pages for post in page] == posts
    assert all(len(page) == size for page in pages[:-1])


def test_new_rows_do_not_shift_older_pages(posts, alice):
    older = paginate(Post.objects.all(), None, 3).older
    baker.make(Post, author=alice, created_at=NOON + timedelta(hours=1))
    assert paginate(Post.objects.all(), older, 3).items == posts[3:6]


def test_cursor_of_deleted_row_still_works(posts):
    older = paginate(Post.objects.all(), None, 3).older
    posts[2].delete()
    assert paginate(Post.objects.all(), older, 3).items == posts[3:6]


def test_empty_queryset_gives_empty_page():
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
def test_invalid_cursor_is_404(cursor):
    with pytest.raises(Http404):
        paginate(Post.objects.all(), cursor)


@pytest.mark.parametrize("key", ["9" * 30, "-" + "9" * 30])
def test_huge_cursor_key_is_no_error(posts, key):
    paginate(Post.objects.all(), f"1-{key}")


@pytest.fixture
def plan(many_posts):
    """Explain the query of a page in the middle, on PostgreSQL without plans for small tables."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return lambda rows: older_rows(rows, f"{int(NOON.timestamp())}000000-5")[:20].explain()


@pytest.mark.parametrize(
    ("of_author", "index"),
    [(False, "blog_post_newest"), (True, "blog_post_author")],
    ids=["home", "profile"],
)
def test_page_query_uses_index(posts, alice, plan, of_author, index):
    rows = alice.posts.all() if of_author else Post.objects.all()
    steps = plan(rows.select_related("author"))
    if connection.vendor == "sqlite":
        assert re.search(rf"SEARCH blog_post USING INDEX {index} \(.*created_at<\?\)", steps)
    else:
        assert re.search(rf"Index Scan.* using {index} .*\n\s+Index Cond: .*created_at <= ", steps)
    assert not re.search("Sort|TEMP B-TREE", steps)
