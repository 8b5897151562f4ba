import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Follow, Mute, Post, User

pytestmark = pytest.mark.django_db

BOB = "/api/v1/people/bob/"


def names(response):
    assert response.status_code == 200
    return [row["username"] for row in response.json()["items"]]


def test_person_has_what_their_page_shows(api_client, alice, bob, make_user, settings):
    settings.SITE_URL = "https://microblog.example"
    Follow.objects.create(follower=alice, followed=bob)
    Follow.objects.create(follower=bob, followed=make_user("carol"))
    Mute.objects.create(muter=alice, muted=bob)
    baker.make(Post, author=bob, _quantity=2)
    User.objects.filter(pk=bob.pk).update(about_me="Bread")
    response = api_client.get("/api/v1/people/BOB/")
    assert response.json() == {
        "username": "bob",
        "url": "https://microblog.example/@bob/",
        "about_me": "Bread",
        "joined_at": bob.date_joined.isoformat().replace("+00:00", "Z"),
        "posts": 2,
        "following": 1,
        "followers": 1,
        "is_followed": True,
        "is_muted": True,
    }


def test_posts_of_person_omit_hidden_ones(api_client, bob):
    for number in range(25):
        baker.make(Post, author=bob, body=str(number))
    baker.make(Post, author=bob, body="hidden", hidden_at=timezone.now())
    page = api_client.get(f"{BOB}posts/").json()
    older = api_client.get(page["older"]).json()
    bodies = [post["body"] for post in page["items"] + older["items"]]
    assert bodies == [str(number) for number in range(24, -1, -1)]
    assert older["older"] is None


def test_follow_lists_omit_invisible_people(api_client, alice, bob, make_user):
    carol, closed, blocked = make_user("carol"), make_user("closed"), make_user("blocked")
    for user in (carol, closed, blocked):
        Follow.objects.create(follower=user, followed=bob)
        Follow.objects.create(follower=bob, followed=user)
    User.objects.filter(pk=closed.pk).update(is_active=False)
    Block.objects.create(blocker=blocked, blocked=alice)
    assert names(api_client.get(f"{BOB}followers/")) == ["carol"]
    assert names(api_client.get(f"{BOB}following/")) == ["carol"]


@pytest.mark.parametrize("cause", ["blocks", "blocked by", "closed", "nobody"])
@pytest.mark.parametrize("path", ["", "posts/", "followers/", "following/"])
def test_invisible_person_is_not_found(api_client, alice, bob, cause, path):
    assert api_client.get(f"{BOB}{path}").status_code == 200
    if cause == "closed":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    elif cause == "nobody":
        User.objects.filter(pk=bob.pk).update(username="robert")
    else:
        Block.objects.block(*((alice, bob) if cause == "blocks" else (bob, alice)))
    assert api_client.get(f"{BOB}{path}").status_code == 404


def test_person_pages_have_constant_query_count(
    api_client, alice, bob, make_user, django_assert_num_queries
):
    for number in range(5):
        Follow.objects.create(follower=make_user(f"p{number}"), followed=bob)
        baker.make(Post, author=bob)
    api_client.get(BOB)  # records when the token was used
    for path, queries in [("", 2), ("posts/", 3), ("followers/", 3)]:
        with django_assert_num_queries(queries):
            api_client.get(f"{BOB}{path}")
