import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from blog.models import Block, Message, Mute, Notification, User
from blog.notifications import unread_counts

pytestmark = pytest.mark.django_db


def badge(client):
    """Return whether the messages badge is visible, and its text."""
    page = client.get("/").content.decode()
    hidden, count = re.search(
        r'data-badge="messages"( hidden)?><span data-count>(.*?)</span>', page
    ).groups()
    return not hidden, count


def test_unread_messages_are_counted(alice, bob, send_message):
    send_message(bob, alice)
    send_message(alice, bob)
    send_message(bob, alice)
    assert unread_counts(alice) == {"messages": 2, "notifications": 0}
    assert unread_counts(bob) == {"messages": 1, "notifications": 0}
    Message.objects.update(read_at=timezone.now())
    assert unread_counts(alice) == {"messages": 0, "notifications": 0}


@pytest.mark.parametrize("reason", ["block", "blocked", "mute", "inactive"])
def test_messages_of_unwanted_senders_are_not_counted(alice, bob, send_message, reason):
    send_message(bob, alice)
    if reason == "block":
        Block.objects.block(alice, bob)
    elif reason == "blocked":
        Block.objects.block(bob, alice)
    elif reason == "mute":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert unread_counts(alice) == {"messages": 0, "notifications": 0}


def test_navigation_shows_badge_of_unread_messages(client, alice, bob, send_message):
    client.force_login(alice)
    assert badge(client) == (False, "0")
    message = send_message(bob, alice)
    assert badge(client) == (True, "1")
    Message.objects.bulk_create(
        Message(conversation=message.conversation, sender=bob, recipient=alice, body="x")
        for _ in range(99)
    )
    assert badge(client) == (True, "99+")


def test_unread_count_stops_at_hundred(alice, bob, send_message):
    message = send_message(bob, alice)
    Message.objects.bulk_create(
        Message(conversation=message.conversation, sender=bob, recipient=alice, body="x")
        for _ in range(150)
    )
    Notification.objects.bulk_create(
        Notification(user=alice, name=f"mention:{number}", actor=bob) for number in range(150)
    )
    assert unread_counts(alice) == {"messages": 100, "notifications": 100}
    assert unread_counts(bob) == {"messages": 0, "notifications": 0}


def test_anonymous_page_has_no_badge(client):
    assert "data-badge" not in client.get("/").content.decode()


def test_poll_returns_unread_counts_in_three_queries(
    client, alice, bob, send_message, django_assert_num_queries
):
    client.force_login(alice)
    for _ in range(2):
        send_message(bob, alice, "our secret")
    with django_assert_num_queries(3) as queries:  # session, user with badges, notifications
        response = client.get("/notifications/")
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
    assert response.json()["unread"] == {"messages": 2, "notifications": 0}
    (notification,) = response.json()["notifications"]
    assert notification["data"] == {
        "toast": {"level": "info", "text": "bob wrote to you", "url": "/messages/@bob/"}
    }
    assert "our secret" not in response.content.decode()


def test_inactive_user_is_signed_out(client, alice):
    client.force_login(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get("/notifications/").status_code == 401


def test_unread_count_uses_index(alice, bob, send_message):
    send_message(bob, alice)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = User.objects.with_badges(alice.pk).explain()
    assert "blog_message_unread" in plan
    assert "Seq Scan" not in plan


def test_find_with_badges_returns_same_as_with_badges(alice, bob, send_message):
    for reader, count in ((alice, 0), (bob, 2)):
        for _ in range(count):
            send_message(alice, reader)
        expected = User.objects.with_badges(reader.pk).get()
        found = User.objects.find_with_badges(reader.pk)
        assert (found, found.username, found.unread_messages) == (expected, reader.username, count)
        assert abs(vars(found)["loaded_at"] - vars(expected)["loaded_at"]) < timedelta(seconds=5)
    assert User.objects.find_with_badges(0) is None
