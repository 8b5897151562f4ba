"""The oracle of the fault injection sees when an archive is not what the database holds."""

import io

import pytest

from blog.models import Conversation, Follow, Message, Post
from dev.chaos.oracle import CONTENTS
from exports.archive import build as archive
from exports.archive.kinds import KINDS
from exports.tests.conftest import ProgressSpy

pytestmark = pytest.mark.django_db


@pytest.fixture
def archives(alice, bob):
    """Alice's archives, by kind."""
    Post.objects.create(author=alice, body="one")
    Follow.objects.create(follower=alice, followed=bob)
    Conversation.objects.between(alice, bob).say(bob, alice, "hello")
    found = {}
    for kind in KINDS:
        out = io.BytesIO()
        archive.build(kind, alice, archive.Output(out), ProgressSpy())
        found[kind] = out.getvalue()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_whole_ones_have_no_flaw(alice, archives, kind):
    assert CONTENTS[kind](archives[kind], alice) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_that_is_missing_is_one(alice, archives, kind):
    Post.objects.create(author=alice, body="two")
    assert CONTENTS[kind](archives[kind], alice) == "holds other posts than the database"


def test_so_are_messages_and_people_followed(alice, archives):
    Follow.objects.all().delete()
    assert "follow others" in CONTENTS["account"](archives["account"], alice)
    Message.objects.update(body="hello again")
    assert "other messages" in CONTENTS["account"](archives["account"], alice)


def test_so_is_a_zip_that_was_cut_short(alice, archives):
    assert "is not sound" in CONTENTS["account"](archives["account"][:-100], alice)
