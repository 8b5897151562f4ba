"""Visibility of users and posts: blocks, mutes, hidden posts and inactive accounts."""

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
    """Return a function that makes one of the two block the other."""
    pair = (alice, bob) if request.param == "blocks" else (bob, alice)
    return lambda: Block.objects.block(*pair)


PAGES = [
    *("/", "/explore/", "/@carol/following/", "/@carol/followers/", "/posts/{pk}/"),
    *("/@bob/card/", "/@bob/followers/", "/@bob/following/", "/@bob/block/", "/posts/{pk}/report/"),
]


def shows_bob(client, post, page):
    response = client.get(page.format(pk=post.pk))
    # Search for a whole word: the three letters occur by chance in tokens and nonces.
    return response.status_code == 200 and bool(
        re.search(r"\bbob\b", response.content.decode(), re.IGNORECASE)
    )


@pytest.mark.parametrize("page", PAGES)
def test_block_hides_users_from_each_other(client, alice, bob, make_user, post, block, page):
    carol = make_user("carol")
    Follow.objects.create(follower=carol, followed=bob)
    Follow.objects.create(follower=bob, followed=carol)
    Follow.objects.create(follower=alice, followed=bob)
    client.force_login(alice)
    assert shows_bob(client, post, page)
    block()
    assert not shows_bob(client, post, page)


def test_block_ends_following_both_ways(alice, bob, make_user):
    carol = make_user("carol")
    for follower, followed in [(alice, bob), (bob, alice), (alice, carol), (carol, bob)]:
        Follow.objects.create(follower=follower, followed=followed)
    Block.objects.block(alice, bob)
    Block.objects.block(alice, bob)
    assert set(Follow.objects.values_list("follower__username", "followed__username")) == {
        ("alice", "carol"),
        ("carol", "bob"),
    }


def test_follow_after_concurrent_block_is_ignored(alice, bob, block):
    block()
    Follow.objects.follow(alice, bob)  # the view has looked before the block
    assert not Follow.objects.exists()
    assert not bob.notifications.exists()


def test_follow_across_block_is_not_found(client, alice, bob, block):
    block()
    client.force_login(alice)
    assert client.post("/@bob/follow/").status_code == 404
    assert not Follow.objects.exists()


def test_muted_user_is_not_suggested_but_visitable(client, alice, bob, post):
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
def test_hidden_post_is_visible_to_author_only(client, alice, bob, post, page):
    Follow.objects.create(follower=alice, followed=bob)
    Post.objects.update(hidden_at=timezone.now())
    for reader in (alice, None):
        client.force_login(reader) if reader else client.logout()
        assert "Bob was here" not in client.get(page.format(pk=post.pk)).content.decode()
    assert set(Post.objects.visible_to(bob)) == {post}
    assert not Post.objects.visible_to(AnonymousUser())


def test_mention_is_no_link_after_block(client, alice, bob, make_user, block):
    post = baker.make(Post, author=make_user("carol"), body="hello @bob")
    client.force_login(alice)
    for page in ("/explore/", "/@carol/", f"/posts/{post.pk}/"):
        assert 'href="/@bob/"' in client.get(page).content.decode()
    block()
    for page in ("/explore/", "/@carol/", f"/posts/{post.pk}/"):
        assert 'href="/@bob/"' not in client.get(page).content.decode()


def test_block_hides_notifications_of_other_user(client, alice, bob, block, monkeypatch):
    monkeypatch.setitem(notifications._renderers, "greeting", lambda payload: payload)
    Notification.objects.upsert(alice.pk, "greeting:bob", {}, actor=bob)
    client.force_login(alice)
    assert len(client.get("/notifications/").json()["notifications"]) == 1
    block()
    assert client.get("/notifications/").json()["notifications"] == []


@pytest.mark.parametrize("page", [*PAGES, "/@bob/", "/@bob/report/"])
def test_inactive_user_is_shown_nowhere(client, alice, bob, make_user, post, page):
    carol = make_user("carol")
    for follower, followed in [(carol, bob), (bob, carol), (alice, bob)]:
        Follow.objects.create(follower=follower, followed=followed)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    client.force_login(alice)
    assert not shows_bob(client, post, page)


def test_post_count_excludes_hidden_posts(client, bob, post):
    baker.make(Post, author=bob, hidden_at=timezone.now())
    assert "<b>1</b> post<" in client.get("/@bob/").content.decode()
