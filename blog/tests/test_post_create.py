from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone
from model_bakery import baker

from blog.forms import DUPLICATE_WINDOW, PostForm
from blog.models import MAX_POST_LENGTH, Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def create_post(client, alice):
    client.force_login(alice)
    return lambda body: client.post("/posts/", {"body": body})


def test_post_is_stored_and_redirects_home(create_post, alice):
    response = create_post("  Hello, <b>sea</b>!  ")
    assert response.status_code == 302
    assert response.url == "/"
    post = Post.objects.get()
    assert post.author == alice
    assert post.body == "Hello, <b>sea</b>!"


@pytest.mark.parametrize(
    "body", ["שלום", "line\n\n  indented", "👩‍👩‍👧‍👦", "be\u2028tween", "a\u200bb"]
)
def test_post_text_is_stored_unchanged(create_post, body):
    create_post(body)
    assert Post.objects.get().body == body


def test_line_breaks_are_normalized(create_post):
    create_post("a\r\nb\rc")
    assert Post.objects.get().body == "a\nb\nc"


@pytest.mark.parametrize("character", ["a", "é", "字", "🌊"])
def test_post_limit_counts_code_points(create_post, character):
    assert create_post(character * MAX_POST_LENGTH).status_code == 302
    assert create_post(character * (MAX_POST_LENGTH + 1)).status_code == 422
    assert Post.objects.get().body == character * MAX_POST_LENGTH


def test_crlf_counts_as_one_character(create_post):
    assert create_post("a\r\n" * 139 + "ab").status_code == 302


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Your post is empty."),
        (" \r\n\t ", "Your post is empty."),
        ("\u200b\u2060", "Your post has nothing to see in it."),
        ("a\0b", "Your post holds a NUL character"),
        ("x" * 520, "Your post has 520 characters; 500 are allowed."),
    ],
)
def test_rejected_post_shows_reason(create_post, body, message):
    response = create_post(body)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Post.objects.exists()


def test_rejected_post_keeps_text(create_post):
    text = "<b>" + "words " * 100
    assert "&lt;b&gt;words words" in create_post(text).content.decode()


def test_post_without_body_is_rejected(client, alice):
    client.force_login(alice)
    assert client.post("/posts/").status_code == 422


def test_visitors_post_redirects_to_sign_in(client):
    response = client.post("/posts/", {"body": "hello"})
    assert response.status_code == 302
    # Not back to this URL: after signing in, it would reject a GET.
    assert response.url == "/accounts/login/"
    assert not Post.objects.exists()


def test_post_create_rejects_get(client, alice):
    client.force_login(alice)
    assert client.get("/posts/").status_code == 405


def test_fragment_request_gets_post_alone(client, alice):
    client.force_login(alice)
    response = client.post("/posts/", {"body": "for @alice"}, headers={"x-fragment": "true"})
    assert response.status_code == 201
    page = response.content.decode()
    assert ">@alice</a>" in page
    assert "<html" not in page


def test_post_survives_expired_session(client, alice):
    text = "long & careful words" * 20
    assert client.post("/posts/", {"body": text}).url == "/accounts/login/"
    assert "What you wrote is kept." in client.get("/accounts/login/").content.decode()
    client.post("/accounts/login/", {"login": "alice", "password": "a walk beside the river"})
    assert "long &amp; careful words" in client.get("/").content.decode()
    assert "careful words" not in client.get("/").content.decode()
    assert not Post.objects.exists()


def test_draft_in_session_is_limited(client):
    client.post("/posts/", {"body": "x" * 100_000})
    assert len(client.session["draft"]["typed"]["body"]) <= 10_000


def test_duplicate_post_is_stored_once(create_post, alice):
    assert [create_post("hello").url for _ in range(3)] == ["/"] * 3
    assert Post.objects.get().body == "hello"


def test_same_text_by_others_or_later_is_stored(create_post, alice, bob):
    baker.make(Post, author=bob, body="hello")
    baker.make(Post, author=alice, body="hello", created_at=timezone.now() - DUPLICATE_WINDOW)
    baker.make(Post, author=alice, body="goodbye")
    create_post("hello")
    assert Post.objects.count() == 4


def test_edited_post_may_duplicate_another(client, alice):
    client.force_login(alice)
    first, second = (baker.make(Post, author=alice, body=body) for body in ("hello", "goodbye"))
    client.post(f"/posts/{second.pk}/edit/", {"body": "hello"})
    second.refresh_from_db()
    assert second.body == first.body
    assert second.edited_at


@pytest.mark.django_db(transaction=True)
def test_concurrent_duplicate_posts_are_stored_once(alice):
    def send(_):
        try:
            form = PostForm({"body": "hello"}, instance=Post(author=alice))
            assert form.is_valid()
            return form.save().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(send, range(4)))) == 1
    assert Post.objects.count() == 1
