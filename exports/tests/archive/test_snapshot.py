"""Snapshot isolation of a build."""

import json
import threading

import pytest
from django.db import connections

from blog.models import Post
from exports.archive import build as archive

pytestmark = pytest.mark.django_db(transaction=True)


def run_concurrently(action):
    """Run `action` on another connection; fail if it is blocked."""
    errors = []

    def run():
        try:
            action()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "a writer was blocked"
    assert errors == []


def test_archive_ignores_changes_during_build(
    alice, create_posts, build_archive, progress_spy, monkeypatch
):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    posts = create_posts(alice, 100)
    expected = [post.body for post in alice.posts.oldest_first()]

    def change_posts():
        Post.objects.create(author=alice, body="written during the build")
        Post.objects.filter(pk=posts[90].pk).update(body="edited during the build")
        Post.objects.filter(pk=posts[95].pk).delete()

    def report(rows_done):
        if rows_done == 10:
            run_concurrently(change_posts)

    monkeypatch.setattr(progress_spy, "report", report)
    assert [post["body"] for post in json.loads(build_archive(alice))["posts"]] == expected
    assert alice.posts.filter(body__endswith="during the build").count() == 2
