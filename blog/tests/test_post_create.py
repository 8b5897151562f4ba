from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone
from model_bakery import baker

from blog.forms import DUPLICATE_WINDOW, PostForm
from blog.models import POST_LENGTH, Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(client, alice):
    client.force_login(alice)
    return lambda body: client.post("/posts/", {"body": body})


def test_a_post_is_stored_and_leads_home(write, alice):
    response = write("  Hello, <b>sea</b>!  ")
    assert response.status_code == 302
    assert response.url == "/"
    post = Post.objects.get()
    assert post.author == alice
    assert post.body == "Hello, <b>sea</b>!"


@pytest.mark.parametrize(
    "body", ["שלום", "line\n\n  indented", "👩‍👩‍👧‍👦", "be\u2028tween", "a\u200bb"]
)
def test_any_text_stays_as_it_was_written(write, body):
    write(body)
    assert Post.objects.get().body == body


def test_line_breaks_are_one_character(write):
    write("a\r\nb\rc")
    assert Post.objects.get().body == "a\nb\nc"


@pytest.mark.parametrize("character", ["a", "é", "字", "🌊"])
def test_the_longest_post_has_280_code_points(write, character):
    assert write(character * POST_LENGTH).status_code == 302
    assert write(character * (POST_LENGTH + 1)).status_code == 422
    assert Post.objects.get().body == character * POST_LENGTH


def test_line_breaks_of_a_browser_do_not_count_double(write):
    assert write("a\r\n" * 139 + "ab").status_code == 302


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Your post is empty."),
        (" \r\n\t ", "Your post is empty."),
        ("\u200b\u2060", "Your post has nothing to see in it."),
        ("a\0b", "Your post holds a NUL character"),
        ("x" * 300, "Your post has 300 characters; 280 are allowed."),
    ],
)
def test_a_refused_post_says_why(write, body, message):
    response = write(body)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Post.objects.exists()


def test_a_refused_text_is_kept(write):
    text = "<b>" + "words " * 60
    assert "&lt;b&gt;words words" in write(text).content.decode()


def test_no_body_at_all_is_refused(client, alice):
    client.force_login(alice)
    assert client.post("/posts/").status_code == 422


def test_a_visitor_is_sent_to_sign_in(client):
    response = client.post("/posts/", {"body": "hello"})
    assert response.status_code == 302
    # Not back to here: after signing in, a GET would be refused.
    assert response.url == "/accounts/login/"
    assert not Post.objects.exists()


def test_it_is_for_posting_only(client, alice):
    client.force_login(alice)
    assert client.get("/posts/").status_code == 405


def test_a_script_gets_the_post_alone(client, alice):
    client.force_login(alice)
    response = client.post("/posts/", {"body": "for @alice"}, headers={"x-fragment": "true"})
    assert response.status_code == 201
    page = response.content.decode()
    assert ">@alice</a>" in page
    assert "<html" not in page


def test_what_was_typed_survives_an_expired_session(client, alice):
    text = "long & careful words" * 20
    assert client.post("/posts/", {"body": text}).url == "/accounts/login/"
    assert "What you wrote is kept." in client.get("/accounts/login/").content.decode()
    client.post("/accounts/login/", {"login": "alice", "password": "a walk beside the river"})
    assert "long &amp; careful words" in client.get("/").content.decode()
    assert "careful words" not in client.get("/").content.decode()
    assert not Post.objects.exists()


def test_a_session_is_no_place_to_store_things(client):
    client.post("/posts/", {"body": "x" * 100_000})
    assert len(client.session["draft"]["typed"]["body"]) < 10_000


def test_a_form_that_is_sent_twice_is_one_post(write, alice):
    assert [write("hello").url for _ in range(3)] == ["/"] * 3
    assert Post.objects.get().body == "hello"


def test_the_same_words_by_somebody_else_or_later_are_another_post(write, alice, bob):
    baker.make(Post, author=bob, body="hello")
    baker.make(Post, author=alice, body="hello", created_at=timezone.now() - DUPLICATE_WINDOW)
    baker.make(Post, author=alice, body="goodbye")
    write("hello")
    assert Post.objects.count() == 4


def test_an_edited_post_may_say_what_another_says(client, alice):
    client.force_login(alice)
    first, second = (baker.make(Post, author=alice, body=body) for body in ("hello", "goodbye"))
    client.post(f"/posts/{second.pk}/edit/", {"body": "hello"})
    second.refresh_from_db()
    assert second.body == first.body
    assert second.edited_at


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_are_one_post(alice):
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
