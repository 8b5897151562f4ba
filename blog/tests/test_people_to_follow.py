"""People whom the sidebar suggests to follow."""

from datetime import timedelta

import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Follow, Mute, Post, User

pytestmark = pytest.mark.django_db


def suggested(viewer):
    return [person.username for person in User.objects.to_follow(viewer)]


@pytest.fixture
def bobs_post(bob):
    return baker.make(Post, author=bob)


def test_author_of_recent_post_is_suggested(alice, bobs_post, make_user):
    make_user("silent")
    baker.make(Post, author=alice)
    assert suggested(alice) == ["bob"]


@pytest.mark.parametrize("reason", ["followed", "blocked", "blocking", "muted", "hidden", "closed"])
def test_person_is_not_suggested(alice, bob, bobs_post, reason):
    if reason == "followed":
        Follow.objects.follow(alice, bob)
    elif reason == "blocked":
        Block.objects.block(alice, bob)
    elif reason == "blocking":
        Block.objects.block(bob, alice)
    elif reason == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    elif reason == "hidden":
        bobs_post.hide(alice, "Advertising")
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert suggested(alice) == []


def test_three_people_seen_last_are_suggested(alice, make_user):
    now = timezone.now()
    for hours, name in enumerate(["one", "two", "three", "four"]):
        author = make_user(name, last_seen_at=now - timedelta(hours=hours))
        baker.make(Post, author=author, _quantity=2)
    baker.make(Post, author=make_user("never"))
    assert suggested(alice) == ["one", "two", "three"]


def test_explore_takes_one_query_for_suggestions(
    client, alice, make_user, django_assert_num_queries
):
    client.force_login(alice)
    for number in range(5):
        baker.make(Post, author=make_user(f"p{number}"), _quantity=5)
    client.get("/explore/")
    # session, user with badges, latest exports, progress bars, posts, people to follow
    with django_assert_num_queries(6):
        client.get("/explore/")
