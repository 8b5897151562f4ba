import json

import pytest

from blog.models import Block, Follow, Notification, Post
from blog.notifications import notify_mention

pytestmark = pytest.mark.django_db

NOTIFICATIONS = "/api/v1/notifications/"


@pytest.fixture
def mention(alice, bob):
    post = Post.objects.create(author=bob, body="@alice")
    notify_mention(post)
    return post


def mark_read(client, until):
    return client.post(
        f"{NOTIFICATIONS}read/", json.dumps({"until": until}), content_type="application/json"
    )


def test_notifications_are_listed(api_client, alice, bob, mention, settings):
    settings.SITE_URL = "https://microblog.example"
    Follow.objects.follow(bob, alice)
    page = api_client.get(NOTIFICATIONS).json()
    assert (page["unread"], page["older"]) == (2, None)
    follow, mentioned = page["items"]
    assert (follow["kind"], follow["text"]) == ("follow", "bob followed you")
    assert (follow["person"], follow["post"]) == ("bob", None)
    assert mentioned["url"] == f"https://microblog.example/posts/{mention.pk}/"
    assert (mentioned["kind"], mentioned["post"], mentioned["is_read"]) == (
        "mention",
        mention.pk,
        False,
    )


def test_reading_marks_up_to_time(api_client, alice, bob, mention):
    (first,) = api_client.get(NOTIFICATIONS).json()["items"]
    Follow.objects.follow(bob, alice)
    assert mark_read(api_client, first["updated_at"]).status_code == 204
    page = api_client.get(NOTIFICATIONS).json()
    assert [(row["kind"], row["is_read"]) for row in page["items"]] == [
        ("follow", False),
        ("mention", True),
    ]
    assert page["unread"] == 1


def test_notifications_of_others_stay_unread(make_api_client, alice, bob, mention):
    client = make_api_client(bob)
    assert client.get(NOTIFICATIONS).json() == {"unread": 0, "items": [], "older": None}
    assert mark_read(client, "2999-01-01T00:00:00Z").status_code == 204
    assert alice.notifications.unread().count() == 1


def test_read_only_token_marks_nothing(make_api_client, alice, mention):
    client = make_api_client(alice, is_read_only=True)
    assert mark_read(client, "2999-01-01T00:00:00Z").status_code == 403
    assert alice.notifications.unread().count() == 1


def test_notifications_across_block_are_not_listed(api_client, alice, bob, mention):
    Block.objects.block(alice, bob)
    assert api_client.get(NOTIFICATIONS).json()["items"] == []


def test_notifications_have_pages_and_constant_query_count(
    api_client, alice, bob, django_assert_num_queries
):
    for number in range(25):
        Notification.objects.upsert(alice.pk, f"follow:{number}", {"name": "bob"}, actor=bob)
    api_client.get(NOTIFICATIONS)
    with django_assert_num_queries(3):
        page = api_client.get(NOTIFICATIONS).json()
    older = api_client.get(page["older"]).json()
    assert [len(page["items"]), len(older["items"])] == [20, 5]
