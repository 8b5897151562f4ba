import pytest
from django.utils import timezone
from model_bakery import baker

from blog import rate_limits as limits
from blog.models import Block, Follow, Mute, Notification, Post, User

pytestmark = pytest.mark.django_db

POSTS = "/api/v1/posts/"
LISTS = [POSTS, "/api/v1/timeline/", "/api/v1/explore/"]


def bodies(answer):
    assert answer.status_code == 200
    return [post["body"] for post in answer.json()["items"]]


def send(client, method, path, data):
    return getattr(client, method)(path, data, content_type="application/json")


def test_a_post_is_written(api_client, alice, bob, settings):
    settings.SITE_URL = "https://microblog.example"
    answer = send(api_client, "post", POSTS, {"body": " Hello, @bob!\r\n "})
    post = alice.posts.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"https://microblog.example/api/v1/posts/{post.pk}/"
    assert answer.json() == {
        "id": post.pk,
        "url": f"https://microblog.example/posts/{post.pk}/",
        "author": "alice",
        "body": "Hello, @bob!",
        "created_at": post.created_at.isoformat().replace("+00:00", "Z"),
        "edited_at": None,
        "is_hidden": False,
        "hidden_reason": "",
    }
    assert Notification.objects.get().user == bob


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "Your post is empty. Write a few words first."),
        ("x" * 281, "Your post has 281 characters; 280 are allowed."),
        ("a\0b", "Your post holds a NUL character, which cannot be stored. Please take it out."),
        ("\u200b", "Your post has nothing to see in it. Write a few words first."),
        (7, "This must be a text."),
        (None, "This must be a text."),
    ],
)
def test_what_the_form_refuses_is_refused_in_its_words(api_client, alice, body, words):
    answer = send(api_client, "post", POSTS, {"body": body})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body", "detail": words}]
    assert not alice.posts.exists()


def test_half_an_emoji_is_refused(api_client):
    answer = api_client.post(POSTS, r'{"body": "\ud83e"}', content_type="application/json")
    assert answer.json()["errors"] == [{"field": "body", "detail": "This is not valid."}]


def test_a_post_is_changed(api_client, alice):
    post = baker.make(Post, author=alice, body="befor")
    answer = send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": "before"})
    assert (answer.status_code, answer.json()["body"]) == (200, "before")
    assert answer.json()["edited_at"]
    assert send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": ""}).status_code == 422
    assert alice.posts.get().body == "before"


def test_a_post_is_deleted(api_client, alice):
    post = baker.make(Post, author=alice)
    answer = api_client.delete(f"{POSTS}{post.pk}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not alice.posts.exists()


def test_what_is_somebody_elses_can_only_be_read(api_client, bob):
    path = f"{POSTS}{baker.make(Post, author=bob, body='by bob').pk}/"
    assert api_client.get(path).json()["author"] == "bob"
    assert send(api_client, "patch", path, {"body": "by alice"}).status_code == 404
    assert api_client.delete(path).status_code == 404
    assert bob.posts.get().body == "by bob"


def test_each_list_has_what_its_page_has(api_client, alice, bob, make_user):
    for author in (alice, bob, make_user("carol")):
        baker.make(Post, author=author, body=f"by {author}")
    Follow.objects.create(follower=alice, followed=bob)
    assert [bodies(api_client.get(path)) for path in LISTS] == [
        ["by alice"],
        ["by bob", "by alice"],
        ["by carol", "by bob", "by alice"],
    ]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_paged_to_its_end(api_client, alice, path, settings):
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
def test_a_page_that_cannot_be_is_not_found(api_client, path):
    assert api_client.get(f"{path}?before=yesterday").status_code == 404


@pytest.mark.parametrize("apart", ["blocks", "blocked_by", "hidden", "closed"])
def test_what_may_not_be_seen_is_nowhere(api_client, alice, bob, apart):
    Follow.objects.create(follower=alice, followed=bob)
    post = baker.make(Post, author=bob)
    if apart == "hidden":
        Post.objects.update(hidden_at=timezone.now())
    elif apart == "closed":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Block.objects.put(*((alice, bob) if apart == "blocks" else (bob, alice)))
    assert [bodies(api_client.get(path)) for path in LISTS] == [[], [], []]
    assert api_client.get(f"{POSTS}{post.pk}/").status_code == 404


def test_who_is_muted_is_not_met(api_client, alice, bob):
    Follow.objects.create(follower=alice, followed=bob)
    Mute.objects.create(muter=alice, muted=bob)
    post = baker.make(Post, author=bob)
    assert [bodies(api_client.get(path)) for path in LISTS] == [[], [], []]
    assert api_client.get(f"{POSTS}{post.pk}/").status_code == 200


def test_the_author_is_told_why_staff_hid_a_post(api_client, alice):
    baker.make(Post, author=alice, hidden_at=timezone.now(), hidden_reason="Spam")
    (post,) = api_client.get(POSTS).json()["items"]
    assert (post["is_hidden"], post["hidden_reason"]) == (True, "Spam")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_the_same_however_long_it_is(
    api_client, alice, bob, path, django_assert_num_queries
):
    Follow.objects.create(follower=alice, followed=bob)
    api_client.get(path)  # which notes that the token was used
    for number in (1, 30):
        baker.make(Post, author=alice, body="@bob", _quantity=number)
        baker.make(Post, author=bob, _quantity=number)
        with django_assert_num_queries(2):
            api_client.get(path)


def test_what_one_post_costs(api_client, alice, django_assert_num_queries):
    api_client.get(POSTS)
    post = baker.make(Post, author=alice)
    with django_assert_num_queries(2):
        api_client.get(f"{POSTS}{post.pk}/")
    with django_assert_num_queries(
        8
    ):  # token, author, the same words lately, post; two transactions begin and end, as savepoints
        send(api_client, "post", POSTS, {"body": "Hello"})


def test_changes_count_as_writing(api_client, alice, monkeypatch):
    monkeypatch.setitem(limits.RATES, "post", limits.Rate(1, 9, 3600))
    post = baker.make(Post, author=alice)
    answers = [
        send(api_client, "patch", f"{POSTS}{post.pk}/", {"body": body}).status_code
        for body in ("One", "Two")
    ]
    assert answers == [200, 429]
