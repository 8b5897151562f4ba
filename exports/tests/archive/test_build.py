import hashlib
import io
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from blog.models import Post
from exports.archive import build as archive
from exports.archive.kinds import KINDS
from exports.archive.output import Output
from exports.models.task import archive_storage

# Any text that a post can hold: no NUL and no lone surrogates, which PostgreSQL and UTF-8 reject.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=280
)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))

pytestmark = pytest.mark.django_db


def test_archive_has_every_post_once_oldest_first(alice, bob, build_archive):
    base = datetime(2026, 11, 23, 10, tzinfo=UTC)
    for minutes in (3, 1, 2, 1):
        Post.objects.create(
            author=alice, body=f"after {minutes}", created_at=base + timedelta(minutes=minutes)
        )
    Post.objects.create(author=bob, body="another user's")
    document = json.loads(build_archive(alice))
    assert document == {
        "version": 1,
        "username": "alice",
        "posts": [
            {"body": "after 1", "timestamp": "2026-11-23T10:01:00Z"},
            {"body": "after 1", "timestamp": "2026-11-23T10:01:00Z"},
            {"body": "after 2", "timestamp": "2026-11-23T10:02:00Z"},
            {"body": "after 3", "timestamp": "2026-11-23T10:03:00Z"},
        ],
        "count": 4,
    }


def test_no_posts_give_valid_archive(alice, build_archive):
    assert json.loads(build_archive(alice)) == {
        "version": 1,
        "username": "alice",
        "posts": [],
        "count": 0,
    }


@given(rows=st.lists(st.tuples(TEXTS, TIMES), min_size=1, max_size=5))
def test_any_text_and_time_are_kept_unchanged(rows, alice, build_archive):
    alice.posts.all().delete()
    Post.objects.bulk_create(
        [Post(author=alice, body=body, created_at=time) for body, time in rows]
    )
    stored = [
        {"body": post.body, "timestamp": post.created_at.isoformat().replace("+00:00", "Z")}
        for post in alice.posts.oldest_first()
    ]
    assert sorted(post["body"] for post in stored) == sorted(body for body, _ in rows)
    assert json.loads(build_archive(alice))["posts"] == stored


def test_timestamp_from_database_clock_matches_django(alice, build_archive):
    Post.objects.create(author=alice, body="by the database")
    alice.posts.update(created_at=Now())
    expected = alice.posts.get().created_at.isoformat().replace("+00:00", "Z")
    assert json.loads(build_archive(alice))["posts"][0]["timestamp"] == expected


def test_build_counts_and_hashes_its_output(alice, create_posts, progress_spy):
    create_posts(alice, 5)
    out = io.BytesIO()
    result = archive.build("posts", alice, Output(out), progress_spy)
    assert result == archive.BuildResult(
        rows=5, size=len(out.getvalue()), sha256=hashlib.sha256(out.getvalue()).hexdigest()
    )
    assert KINDS["posts"].count_rows(alice) == progress_spy.reported[-1] == 5


def test_progress_is_reported_after_each_chunk(alice, create_posts, progress_spy, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 2)
    create_posts(alice, 5)
    archive.build("posts", alice, Output(io.BytesIO()), progress_spy)
    assert progress_spy.reported == [0, 2, 4, 5, 5]


def test_build_keeps_to_maximum_rate(alice, create_posts, progress_spy, settings):
    settings.EXPORT_MAX_RATE = 10
    create_posts(alice, 5)
    archive.build("posts", alice, Output(io.BytesIO()), progress_spy)
    assert progress_spy.waited == pytest.approx(0.5)


def test_build_takes_one_query(
    alice, create_posts, progress_spy, django_assert_num_queries, monkeypatch
):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    create_posts(alice, 100)
    with django_assert_num_queries(1):
        archive.build("posts", alice, Output(io.BytesIO()), progress_spy)


def test_posts_are_read_in_index_order(alice, many_posts, create_posts):
    create_posts(alice, 50)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Fifty rows are so few that the planner would rather sort them.
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = alice.posts.oldest_first().values_list("body").explain()
    assert "blog_post_author" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_failed_build_deletes_its_temporary_file(task):
    with suppress(RuntimeError), archive.open_archive_file(task, bool) as file:
        file.write(b"half")
        raise RuntimeError
    assert list(archive.temporary_folder().iterdir()) == []


def test_finished_file_is_moved_into_storage(task):
    with archive.open_archive_file(task, bool) as file:
        file.write(b"whole")
        name = archive.store(task, file)
    assert name == f"posts/{task.pk}-1.json"
    storage = archive_storage()
    with storage.open(name) as file:
        assert file.read() == b"whole"
    archive.discard(name)
    assert not storage.exists(name)
