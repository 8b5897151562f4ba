"""Who sees whom: blocks, mutes, hidden posts and closed accounts, wherever people and posts are shown."""

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from model_bakery import baker

from blog import notifications
from blog.models import Block, Follow, Mute, Notification, Post, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(bob):
    return baker.make(Post, author=bob, body="Bob was here")


@pytest.fixture(params=["blocks", "blocked_by"])
def block(request, alice, bob):
    """One of the two has blocked the other."""
    pair = (alice, bob) if request.param == "blocks" else (bob, alice)
    return lambda: Block.objects.block(*pair)


PAGES = [
    *("/", "/explore/", "/@carol/following/", "/@carol/followers/", "/posts/{pk}/"),
    *("/@bob/card/", "/@bob/followers/", "/@bob/following/", "/@bob/block/", "/posts/{pk}/report/"),
]


def shows_bob(client, post, page):
    response = client.get(page.format(pk=post.pk))
    # A whole word: the three letters turn up by chance in tokens and nonces.
    return response.status_code == 200 and bool(
        re.search(r"\bbob\b", response.content.decode(), re.IGNORECASE)
    )


@pytest.mark.parametrize("page", PAGES)
def test_neither_sees_the_other_after_a_block(client, alice, bob, make_user, post, block, page):
    carol = make_user("carol")
    Follow.objects.create(follower=carol, followed=bob)
    Follow.objects.create(follower=bob, followed=carol)
    Follow.objects.create(follower=alice, followed=bob)
    client.force_login(alice)
    assert shows_bob(client, post, page)
    block()
    assert not shows_bob(client, post, page)


def test_a_block_ends_following_both_ways(alice, bob, make_user):
    carol = make_user("carol")
    for follower, followed in [(alice, bob), (bob, alice), (alice, carol), (carol, bob)]:
        Follow.objects.create(follower=follower, followed=followed)
    Block.objects.block(alice, bob)
    Block.objects.block(alice, bob)
    assert set(Follow.objects.values_list("follower__username", "followed__username")) == {
        ("alice", "carol"),
        ("carol", "bob"),
    }


def test_a_block_that_comes_between_keeps_the_follow_away(alice, bob, block):
    block()
    Follow.objects.follow(alice, bob)  # the view has looked before
    assert not Follow.objects.exists()
    assert not bob.notifications.exists()


def test_nobody_follows_across_a_block(client, alice, bob, block):
    block()
    client.force_login(alice)
    assert client.post("/@bob/follow/").status_code == 404
    assert not Follow.objects.exists()


def test_who_is_muted_is_met_no_more_but_can_be_visited(client, alice, bob, post):
    Follow.objects.create(follower=alice, followed=bob)
    Mute.objects.create(muter=alice, muted=bob)
    client.force_login(alice)
    shown = {
        page
        for page in ["/", "/explore/", "/@bob/", f"/posts/{post.pk}/"]
        if shows_bob(client, post, page)
    }
    assert shown == {"/@bob/", f"/posts/{post.pk}/"}
    client.force_login(bob)
    assert shows_bob(client, post, "/explore/")


@pytest.mark.parametrize("page", ["/", "/explore/", "/posts/{pk}/", "/@bob/"])
def test_a_hidden_post_is_shown_to_its_author_alone(client, alice, bob, post, page):
    Follow.objects.create(follower=alice, followed=bob)
    Post.objects.update(hidden_at=timezone.now())
    for reader in (alice, None):
        client.force_login(reader) if reader else client.logout()
        assert "Bob was here" not in client.get(page.format(pk=post.pk)).content.decode()
    assert set(Post.objects.visible_to(bob)) == {post}
    assert not Post.objects.visible_to(AnonymousUser())


def test_a_name_is_no_link_after_a_block(client, alice, bob, make_user, block):
    post = baker.make(Post, author=make_user("carol"), body="hello @bob")
    client.force_login(alice)
    for page in ("/explore/", "/@carol/", f"/posts/{post.pk}/"):
        assert 'href="/@bob/"' in client.get(page).content.decode()
    block()
    for page in ("/explore/", "/@carol/", f"/posts/{post.pk}/"):
        assert 'href="/@bob/"' not in client.get(page).content.decode()


def test_what_the_other_did_is_told_no_more_after_a_block(client, alice, bob, block, monkeypatch):
    monkeypatch.setitem(notifications._renderers, "greeting", lambda facts: facts)
    Notification.objects.upsert(alice.pk, "greeting:bob", {}, actor=bob)
    client.force_login(alice)
    assert len(client.get("/notifications/").json()["notifications"]) == 1
    block()
    assert client.get("/notifications/").json()["notifications"] == []


@pytest.mark.parametrize("page", [*PAGES, "/@bob/", "/@bob/report/"])
def test_a_closed_account_is_seen_nowhere(client, alice, bob, make_user, post, page):
    carol = make_user("carol")
    for follower, followed in [(carol, bob), (bob, carol), (alice, bob)]:
        Follow.objects.create(follower=follower, followed=followed)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    client.force_login(alice)
    assert not shows_bob(client, post, page)


def test_the_number_of_posts_leaves_out_what_staff_hid(client, bob, post):
    baker.make(Post, author=bob, hidden_at=timezone.now())
    assert "<b>1</b> post<" in client.get("/@bob/").content.decode()
