import uuid
from datetime import UTC, datetime, timedelta

import pytest

from blog.models import Notification, Post
from imports import writing
from imports.readers import ImportablePost, SortedPosts
from imports.writing import PostImport, delete_posts, undoable

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOON = datetime(2020, 5, 17, 12, tzinfo=UTC)


def posts_of(*items):
    return [
        ImportablePost(source_id=source_id, body=body, timestamp=NOON + timedelta(minutes=minute))
        for source_id, body, minute in items
    ]


@pytest.fixture
def run(alice):
    """Import items; return how many were added."""

    def run(items, source="mastodon", years=None, import_id=None, checkpoint=lambda done: None):
        task = PostImport(author=alice, source=source, import_id=import_id or uuid.uuid4())
        with SortedPosts(items) as posts:
            expected = task.count_new(posts, lambda done: None)
            added = task.write(posts, years, checkpoint)
        assert years is not None or added == expected
        return added

    return run


def bodies():
    return list(Post.objects.oldest_first().values_list("body", flat=True))


def test_same_archive_twice_adds_nothing(run):
    items = posts_of(("1", "a", 0), ("2", "b", 0), ("3", "b", 0))
    assert run(items) == 3
    assert run(items) == 0
    assert bodies() == ["a", "b", "b"]


def test_newer_archive_adds_what_is_new(run):
    run(posts_of(("1", "a", 0)))
    assert run(posts_of(("1", "a changed", 0), ("2", "b", 1))) == 1
    assert bodies() == ["a", "b"]


def test_each_own_post_stands_for_one_item(alice, run):
    Post.objects.create(author=alice, body="same", created_at=NOON)
    items = posts_of(("1", "same", 0), ("2", "same", 0), ("3", "same", 1))
    assert run(items) == 2
    assert run(items) == 0
    assert run(items + posts_of(("4", "same", 0))) == 1


def test_own_post_stands_for_one_item_across_batches(alice, run, monkeypatch):
    monkeypatch.setattr(writing, "BATCH_SIZE", 1)
    Post.objects.create(author=alice, body="same", created_at=NOON)
    assert run(posts_of(("1", "same", 0), ("2", "same", 0))) == 1


def test_other_people_posts_do_not_count(bob, run):
    Post.objects.create(author=bob, body="a", created_at=NOON, source="mastodon", source_id="1")
    assert run(posts_of(("1", "a", 0))) == 1


def test_chosen_years_are_imported_alone(run):
    year = 60 * 24 * 366
    assert run(posts_of(("1", "a", 0), ("2", "b", year)), years={2021}) == 1
    assert bodies() == ["b"]


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_interrupted_import_is_continued_without_doubles(run, monkeypatch, batches):
    monkeypatch.setattr(writing, "BATCH_SIZE", 2)
    items = posts_of(*((str(number), "same", number // 3) for number in range(6)))
    import_id = uuid.uuid4()

    def interrupt(done):
        if done > 2 * batches:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(items, import_id=import_id, checkpoint=interrupt)
    assert Post.objects.count() == 2 * batches
    run(items, import_id=import_id)
    assert list(Post.objects.oldest_first().values_list("source_id", flat=True)) == list("012345")


def test_import_notifies_nobody(bob, run):
    run(posts_of(("1", "hello @bob", 0)))
    assert not Notification.objects.exists()


def test_undo_keeps_edited_posts_and_allows_another_import(alice, run):
    import_id, items = uuid.uuid4(), posts_of(("1", "a", 0), ("2", "b", 1))
    began = datetime.now(UTC)
    run(items, import_id=import_id)
    Post.objects.filter(body="a").update(edited_at=began + timedelta(seconds=1))
    Post.objects.create(author=alice, body="written here")
    assert delete_posts(undoable(import_id, began), lambda done: None) == 1
    assert bodies() == ["a", "written here"]
    assert run(items) == 1
