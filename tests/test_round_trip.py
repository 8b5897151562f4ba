"""Whatever an account exports can be imported into another one, and exported again, unchanged."""

import io
import json
import uuid
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blog.models import Post
from exports.archive import build as archive
from exports.archive.output import Output
from imports.archives import open_archive
from imports.readers import SortedPosts, find_reader
from imports.writing import PostImport

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

# Few different texts and times, so that equal ones occur.
TEXTS = st.sampled_from(["a", "b"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=600
)
NOON = datetime(2020, 5, 17, 12, tzinfo=UTC)
TIMES = st.just(NOON) | st.datetimes(
    datetime(1, 1, 2), datetime(2026, 1, 1), timezones=st.just(UTC)
)
EDITS = st.none() | st.datetimes(
    datetime(2026, 1, 2), datetime(2026, 11, 1), timezones=st.just(UTC)
)
ROWS = st.lists(st.tuples(TEXTS, TIMES, EDITS), max_size=12)


class Progress:
    def report(self, rows_done):
        pass

    def wait(self, seconds):
        pass


def export(user, kind):
    file = io.BytesIO()
    archive.build(kind, user, Output(file), Progress())
    return file


def import_archive(file, author):
    """Return how many posts were added."""
    reader = find_reader(open_archive(file))
    task = PostImport(author=author, source=reader.name, import_id=uuid.uuid4())
    with SortedPosts(reader.posts()) as posts:
        return task.write(posts, None, lambda done: None)


def exported_posts(file):
    """Return body, timestamp and, where the archive has it, the time of the edit."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive_file:
            document = json.loads(archive_file.read("posts.json"))
    else:
        document = json.loads(file.getvalue())
    return [(row["body"], row["timestamp"], row.get("edited_at")) for row in document["posts"]]


@pytest.mark.parametrize("kind", ["posts", "account"])
@given(rows=ROWS)
def test_exported_posts_come_back_equal(alice, bob, kind, rows):
    Post.objects.all().delete()
    Post.objects.bulk_create(
        Post(author=alice, body=body, created_at=time, edited_at=edited)
        for body, time, edited in rows
    )
    exported = export(alice, kind)
    assert import_archive(exported, bob) == len(rows)
    assert exported_posts(export(bob, kind)) == exported_posts(exported)
    assert import_archive(exported, bob) == 0


@pytest.mark.parametrize("kind", ["posts", "account"])
@given(rows=ROWS)
def test_own_archive_adds_nothing(alice, kind, rows):
    Post.objects.all().delete()
    Post.objects.bulk_create(Post(author=alice, body=body, created_at=at) for body, at, _ in rows)
    exported = export(alice, kind)
    assert import_archive(exported, alice) == 0
    assert Post.objects.count() == len(rows)
