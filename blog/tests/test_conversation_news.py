"""Polling of an open conversation, and its read marks."""

import pytest
from django.db import connection
from django.utils import timezone

from blog.models import Block, Message
from blog.pagination import BEGINNING, format_cursor, newer_rows, parse_cursor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bob")]
NEWS = "/messages/@bob/news/"
READ = "/messages/@bob/read/"


def shown(response):
    return [message.body for message in response.context["message_list"]]


def test_conversation_news_returns_messages_after_cursor(as_alice, alice, bob, send_message):
    after = format_cursor(send_message(bob, alice, "one"))
    send_message(alice, bob, "two")
    send_message(bob, alice, "three")
    response = as_alice.get(NEWS, {"after": after})
    assert shown(response) == ["two", "three"]
    assert "<html" not in response.content.decode()
    assert shown(as_alice.get(NEWS)) == ["one", "two", "three"]
    assert "no-store" in response["Cache-Control"]


def test_conversation_news_is_empty_after_last_message(as_alice, alice, bob, send_message):
    assert as_alice.get(NEWS).content.decode().strip() == ""
    after = format_cursor(send_message(bob, alice))
    assert as_alice.get(NEWS, {"after": after}).content.decode().strip() == ""


def test_conversation_news_marks_last_seen_message(as_alice, alice, bob, send_message):
    message = send_message(alice, bob)
    after = format_cursor(message)
    assert "data-seen=" not in as_alice.get(NEWS, {"after": after}).content.decode()
    Message.objects.update(read_at=timezone.now())
    page = as_alice.get(NEWS, {"after": after}).content.decode()
    assert f'data-seen="message-{message.pk}"' in page
    assert "<article" not in page


def test_conversation_news_across_block_is_not_found(as_alice, alice, bob, send_message):
    send_message(bob, alice)
    Block.objects.block(bob, alice)
    assert as_alice.get(NEWS).status_code == 404


def test_conversation_news_excludes_conversations_of_others(
    client, alice, bob, make_user, send_message
):
    send_message(alice, bob)
    client.force_login(make_user("carol"))
    assert shown(client.get(NEWS)) == []


def test_conversation_news_makes_six_queries_and_writes_nothing(
    as_alice, alice, bob, send_message, django_assert_num_queries
):
    for _ in range(10):
        send_message(bob, alice)
        send_message(alice, bob)
    # Session, user, conversation, block, messages, last seen message.
    with django_assert_num_queries(6) as queries:
        as_alice.get(NEWS)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_conversation_news_does_not_touch_last_seen(as_alice, alice):
    as_alice.get(NEWS)
    alice.refresh_from_db()
    assert alice.last_seen_at is None


def test_conversation_news_uses_index(alice, bob, send_message):
    message = send_message(alice, bob)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    rows = Message.objects.filter(conversation=message.conversation)
    plan = newer_rows(rows, parse_cursor(format_cursor(message), Message)).explain()
    assert "blog_message_pages" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_rows_since_beginning_returns_all_messages(alice, bob, send_message):
    message = send_message(alice, bob)
    assert list(newer_rows(Message.objects.all(), BEGINNING)) == [message]


def test_mark_read_covers_only_shown_messages(as_alice, alice, bob, send_message):
    send_message(bob, alice, "one")
    until = format_cursor(send_message(bob, alice, "two"))
    own = send_message(alice, bob, "own")
    send_message(bob, alice, "three")
    assert as_alice.post(READ, {"until": until}).url == "/messages/@bob/"
    assert set(Message.objects.unread().values_list("body", flat=True)) == {"own", "three"}
    assert alice.notifications.unread().exists()
    as_alice.post(READ, {"until": format_cursor(Message.objects.get(body="three"))})
    assert list(Message.objects.unread()) == [own]
    assert not alice.notifications.unread().exists()
    assert bob.notifications.unread().exists()


def test_marking_read_twice_keeps_first_time(as_alice, alice, bob, send_message):
    until = format_cursor(send_message(bob, alice))
    then = timezone.now()
    Message.objects.update(read_at=then)
    as_alice.post(READ, {"until": until})
    assert Message.objects.get().read_at == then


def test_mark_read_by_script_returns_no_content(as_alice, alice, bob, send_message):
    until = format_cursor(send_message(bob, alice))
    response = as_alice.post(READ, {"until": until}, headers={"x-fragment": "true"})
    assert response.status_code == 204
    assert not Message.objects.unread().exists()


def test_mark_read_by_stranger_changes_nothing(client, alice, bob, make_user, send_message):
    until = format_cursor(send_message(bob, alice))
    client.force_login(make_user("carol"))
    client.post(READ, {"until": until})
    client.post("/messages/@alice/read/", {"until": until})
    assert Message.objects.unread().exists()


@pytest.mark.parametrize("data", [{}, {"until": ""}, {"until": "nonsense"}])
def test_conversation_news_and_read_reject_bad_cursor(as_alice, data):
    assert as_alice.post(READ, data).status_code == 404
    assert as_alice.get(NEWS, {"after": "nonsense"}).status_code == 404


def test_conversation_news_of_unknown_user_is_not_found(as_alice):
    assert as_alice.post("/messages/@nobody/read/", {"until": "0-0"}).status_code == 404
    assert as_alice.get("/messages/@nobody/news/").status_code == 404


def test_anonymous_conversation_news_redirects_to_login(client, bob):
    assert client.post(READ, {"until": "0-0"}).url == "/accounts/login/?next=/messages/%40bob/"
    assert client.get(NEWS).url.startswith("/accounts/login/")


def test_conversation_news_and_read_reject_wrong_methods(as_alice):
    assert as_alice.get(READ).status_code == 405
    assert as_alice.post(NEWS).status_code == 405
