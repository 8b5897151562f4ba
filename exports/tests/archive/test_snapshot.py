"""What is exported is what existed when the build began."""

import json
import threading

import pytest
from django.db import connections

from blog.models import Post
from exports.archive import build as archive

pytestmark = pytest.mark.django_db(transaction=True)


def meanwhile(action):
    """Do it on another connection, and wait for it: a writer that is shut out fails here."""
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
    assert not thread.is_alive(), "a writer was shut out"
    assert errors == []


def test_what_is_written_edited_or_deleted_meanwhile_does_not_show(
    alice, create_posts, build_archive, progress_spy, monkeypatch
):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    posts = create_posts(alice, 100)
    expected = [post.body for post in alice.posts.oldest_first()]

    def disturb():
        Post.objects.create(author=alice, body="written during the build")
        Post.objects.filter(pk=posts[90].pk).update(body="edited during the build")
        Post.objects.filter(pk=posts[95].pk).delete()

    def report(rows_done):
        if rows_done == 10:
            meanwhile(disturb)

    monkeypatch.setattr(progress_spy, "report", report)
    assert [post["body"] for post in json.loads(build_archive(alice))["posts"]] == expected
    assert alice.posts.filter(body__endswith="during the build").count() == 2
