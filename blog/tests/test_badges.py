import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from blog import badges
from blog.models import Block, Message, Mute, User

pytestmark = pytest.mark.django_db


def badge(client):
    """Whether it is shown, and what it says."""
    page = client.get("/").content.decode()
    hidden, count = re.search(
        r'data-badge="messages"( hidden)?><span data-count>(.*?)</span>', page
    ).groups()
    return not hidden, count


def test_it_counts_what_the_person_has_not_read(alice, bob, send_message):
    send_message(bob, alice)
    send_message(alice, bob)
    send_message(bob, alice)
    assert badges.unread(alice) == {"messages": 2, "notifications": 0}
    assert badges.unread(bob) == {"messages": 1, "notifications": 0}
    Message.objects.update(read_at=timezone.now())
    assert badges.unread(alice) == {"messages": 0, "notifications": 0}


@pytest.mark.parametrize("silence", ["block", "blocked", "mute", "closed account"])
def test_what_the_person_shall_not_come_across_is_not_counted(alice, bob, send_message, silence):
    send_message(bob, alice)
    if silence == "block":
        Block.objects.put(alice, bob)
    elif silence == "blocked":
        Block.objects.put(bob, alice)
    elif silence == "mute":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert badges.unread(alice) == {"messages": 0, "notifications": 0}


def test_the_navigation_shows_it_where_there_is_anything(client, alice, bob, send_message):
    client.force_login(alice)
    assert badge(client) == (False, "0")
    message = send_message(bob, alice)
    assert badge(client) == (True, "1")
    Message.objects.bulk_create(
        Message(conversation=message.conversation, sender=bob, recipient=alice, body="x")
        for _ in range(99)
    )
    assert badge(client) == (True, "99+")


def test_a_visitor_has_none(client):
    assert "data-badge" not in client.get("/").content.decode()


def test_the_poll_tells_it_and_who_wrote_in_three_queries(
    client, alice, bob, send_message, django_assert_num_queries
):
    client.force_login(alice)
    for _ in range(2):
        send_message(bob, alice, "our secret")
    with django_assert_num_queries(3) as queries:  # session, person with badges, notifications
        response = client.get("/notifications/")
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
    assert response.json()["unread"] == {"messages": 2, "notifications": 0}
    (told,) = response.json()["notifications"]
    assert told["data"] == {
        "toast": {"level": "info", "text": "bob wrote to you", "url": "/messages/@bob/"}
    }
    assert "our secret" not in response.content.decode()


def test_an_inactive_person_is_nobody(client, alice):
    client.force_login(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get("/notifications/").status_code == 401


def test_it_is_counted_from_the_index_of_unread_messages(alice, bob, send_message):
    send_message(bob, alice)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = User.objects.with_unread(alice.pk).explain()
    assert "blog_message_unread" in plan
    assert "Seq Scan" not in plan


def test_whoever_is_signed_in_is_found_by_a_statement_that_is_kept(alice, bob, send_message):
    for reader, count in ((alice, 0), (bob, 2)):
        for _ in range(count):
            send_message(alice, reader)
        [expected], found = User.objects.with_unread(reader.pk), User.objects.signed_in(reader.pk)
        assert (found, found.username, found.unread_messages) == (expected, reader.username, count)
        assert abs(vars(found)["asked_at"] - vars(expected)["asked_at"]) < timedelta(seconds=5)
    assert User.objects.signed_in(0) is None
