import pytest
from django.utils import timezone
from model_bakery import baker

from blog import rate_limits
from blog.models import Block, Follow, Mute, Notification, Post, User

pytestmark = pytest.mark.django_db

POSTS = "/api/v1/posts/"
LISTS = [POSTS, "/api/v1/timeline/", "/api/v1/explore/"]


def bodies(response):
    assert response.status_code == 200
    return [post["body"] for post in response.json()["items"]]


def send(client, method, path, data):
    return getattr(client, method)(path, data, content_type="application/json")


def test_post_create_returns_post(api_client, alice, bob, settings):
    settings.SITE_URL = "https://microblog.example"
    response = send(api_client, "post", POSTS, {"body": " Hello, @bob!\r\n "})
    post = alice.posts.get()
    assert response.status_code == 201
    assert response["Location"] == f"https://microblog.example/api/v1/posts/{post.pk}/"
    assert response.json() == {
        "id": post.pk,
        "url": f"https://microblog.example/posts/{post.pk}/",
        "author": "alice",
        "body": "Hello, @bob!",
        "created_at": post.created_at.isoformat().replace("+00:00", "Z"),
        "edited_at": None,
        "is_hidden": False,
        "hidden_reason": "",
        "source": "",
        "source_id": "",
        "source_url": "",
    }
    assert Notification.objects.get().user == bob


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Your post is empty. Write a few words first."),
        ("x" * 501, "Your post has 501 characters; 500 are allowed."),
        ("a\0b", "Your post holds a NUL character, which cannot be stored. Please take it out."),
        ("\u200b", "Your post has nothing to see in it. Write a few words first."),
        (7, "This must be a text."),
        (None, "This must be a text."),
    ],
)
def test_post_create_returns_form_errors(api_client, alice, body, message):
    response = send(api_client, "post", POSTS, {"body": body})
    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "body", "detail": message}]
    assert not alice.posts.exists()


def test_post_create_rejects_lone_surrogate(api_client):
    response = api_client.post(POSTS, r'{"body": "\ud83e"}', content_type="application/json")
    assert response.json()["errors"] == [{"field": "body", "detail": "This is not valid."}]


def test_post_edit_changes_body(api_client, alice):
    post = baker.make(Post, author=alice, body="befor")
    response = send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": "before"})
    assert (response.status_code, response.json()["body"]) == (200, "before")
    assert response.json()["edited_at"]
    assert send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": ""}).status_code == 422
    assert alice.posts.get().body == "before"


def test_post_delete_removes_post(api_client, alice):
    post = baker.make(Post, author=alice)
    response = api_client.delete(f"{POSTS}{post.pk}/")
    assert (response.status_code, response.content) == (204, b"")
    assert not alice.posts.exists()


def test_post_of_other_user_is_read_only(api_client, bob):
    path = f"{POSTS}{baker.make(Post, author=bob, body='by bob').pk}/"
    assert api_client.get(path).json()["author"] == "bob"
    assert send(api_client, "patch", path, {"body": "by alice"}).status_code == 404
    assert api_client.delete(path).status_code == 404
    assert bob.posts.get().body == "by bob"


def test_post_lists_match_their_pages(api_client, alice, bob, make_user):
    for author in (alice, bob, make_user("carol")):
        baker.make(Post, author=author, body=f"by {author}")
    Follow.objects.create(follower=alice, followed=bob)
    assert [bodies(api_client.get(path)) for path in LISTS] == [
        ["by alice"],
        ["by bob", "by alice"],
        ["by carol", "by bob", "by alice"],
    ]


@pytest.mark.parametrize("path", LISTS)
def test_post_lists_are_paginated(api_client, alice, path, settings):
    settings.SITE_URL = "http://testserver"
    for number in range(45):
        baker.make(Post, author=alice, body=str(number))
    seen, address = [], path
    while address:
        page = api_client.get(address)
        seen += bodies(page)
        address = page.json()["older"]
    assert seen == [str(number) for number in range(44, -1, -1)]


@pytest.mark.parametrize("path", LISTS)
def test_invalid_cursor_is_not_found(api_client, path):
    assert api_client.get(f"{path}?before=yesterday").status_code == 404


@pytest.mark.parametrize("relation", ["blocks", "blocked_by", "hidden", "closed"])
def test_invisible_posts_are_not_found(api_client, alice, bob, relation):
    Follow.objects.create(follower=alice, followed=bob)
    post = baker.make(Post, author=bob)
    if relation == "hidden":
        Post.objects.update(hidden_at=timezone.now())
    elif relation == "closed":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Block.objects.block(*((alice, bob) if relation == "blocks" else (bob, alice)))
    assert [bodies(api_client.get(path)) for path in LISTS] == [[], [], []]
    assert api_client.get(f"{POSTS}{post.pk}/").status_code == 404


def test_muted_author_is_omitted_from_lists(api_client, alice, bob):
    Follow.objects.create(follower=alice, followed=bob)
    Mute.objects.create(muter=alice, muted=bob)
    post = baker.make(Post, author=bob)
    assert [bodies(api_client.get(path)) for path in LISTS] == [[], [], []]
    assert api_client.get(f"{POSTS}{post.pk}/").status_code == 200


def test_author_sees_reason_of_hidden_post(api_client, alice):
    baker.make(Post, author=alice, hidden_at=timezone.now(), hidden_reason="Spam")
    (post,) = api_client.get(POSTS).json()["items"]
    assert (post["is_hidden"], post["hidden_reason"]) == (True, "Spam")


@pytest.mark.parametrize("path", LISTS)
def test_post_lists_have_constant_query_count(
    api_client, alice, bob, path, django_assert_num_queries
):
    Follow.objects.create(follower=alice, followed=bob)
    api_client.get(path)  # updates the token's last_used_at
    for number in (1, 30):
        baker.make(Post, author=alice, body="@bob", _quantity=number)
        baker.make(Post, author=bob, _quantity=number)
        with django_assert_num_queries(2):
            api_client.get(path)


def test_single_post_query_counts(api_client, alice, django_assert_num_queries):
    api_client.get(POSTS)
    post = baker.make(Post, author=alice)
    with django_assert_num_queries(2):
        api_client.get(f"{POSTS}{post.pk}/")
    # Token, author, duplicate check, insert, and a savepoint with its release.
    with django_assert_num_queries(6):
        send(api_client, "post", POSTS, {"body": "Hello"})


def test_post_edit_is_rate_limited(api_client, alice, monkeypatch):
    monkeypatch.setitem(rate_limits.RATES, "post", rate_limits.Rate(1, 9, 3600))
    post = baker.make(Post, author=alice)
    statuses = [
        send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": body}).status_code
        for body in ("One", "Two")
    ]
    assert statuses == [200, 429]
