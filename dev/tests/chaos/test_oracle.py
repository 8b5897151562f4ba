"""Detection of wrong archives and of leftover rows by the fault injection's oracle."""

import io

import pytest

from blog.models import Conversation, Follow, Message, Post
from dev.chaos.oracle import ARCHIVE_CHECKS, find_leftover_rows
from exports.archive import build as archive
from exports.archive.kinds import KINDS
from exports.archive.output import Output
from exports.tests.conftest import ProgressSpy

pytestmark = pytest.mark.django_db


@pytest.fixture
def archives(alice, bob):
    """Return Alice's archives by kind."""
    Post.objects.create(author=alice, body="one")
    Follow.objects.create(follower=alice, followed=bob)
    Conversation.objects.get_or_create_between(alice, bob).add_message(bob, alice, "hello")
    contents = {}
    for kind in KINDS:
        out = io.BytesIO()
        archive.build(kind, alice, Output(out), ProgressSpy())
        contents[kind] = out.getvalue()
    return contents


@pytest.mark.parametrize("kind", KINDS)
def test_correct_archive_passes(alice, archives, kind):
    assert ARCHIVE_CHECKS[kind](archives[kind], alice) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_missing_post_is_found(alice, archives, kind):
    Post.objects.create(author=alice, body="two")
    assert ARCHIVE_CHECKS[kind](archives[kind], alice) == "has posts that differ from the database"


def test_different_messages_and_follows_are_found(alice, archives):
    Follow.objects.all().delete()
    assert "followed users that differ" in ARCHIVE_CHECKS["account"](archives["account"], alice)
    Message.objects.update(body="hello again")
    assert "messages that differ" in ARCHIVE_CHECKS["account"](archives["account"], alice)


def test_truncated_zip_is_found(alice, archives):
    assert "is not valid" in ARCHIVE_CHECKS["account"](archives["account"][:-100], alice)


def test_rows_of_deleted_account_are_found(alice, bob):
    Post.objects.create(author=alice, body="one")
    Follow.objects.create(follower=bob, followed=alice)
    found = list(find_leftover_rows(alice.pk, "alice"))
    assert "alice: the user" in found
    assert "alice: 1 rows of blog.Post.author" in found
    assert "alice: 1 rows of blog.Follow.followed" in found


def test_deleted_account_has_no_leftover_rows(alice, bob):
    Follow.objects.create(follower=bob, followed=alice)
    user_id = alice.pk
    alice.delete()
    assert list(find_leftover_rows(user_id, "alice")) == []
