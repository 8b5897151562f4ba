"""What an open conversation asks for, and its read marks."""

import pytest
from django.db import connection
from django.utils import timezone

from blog.models import Block, Message
from blog.pagination import BEGINNING, cursor_of, read_cursor, rows_since

pytestmark = pytest.mark.django_db
NEWS = "/messages/@bob/news/"
READ = "/messages/@bob/read/"


@pytest.fixture
def as_alice(as_alice, bob):
    return as_alice


def shown(response):
    return [message.body for message in response.context["said"]]


def test_it_gives_what_came_after(as_alice, alice, bob, send_message):
    after = cursor_of(send_message(bob, alice, "one"))
    send_message(alice, bob, "two")
    send_message(bob, alice, "three")
    response = as_alice.get(NEWS, {"after": after})
    assert shown(response) == ["two", "three"]
    assert "<html" not in response.content.decode()
    assert shown(as_alice.get(NEWS)) == ["one", "two", "three"]
    assert "no-store" in response["Cache-Control"]


def test_after_the_last_there_is_nothing(as_alice, alice, bob, send_message):
    assert as_alice.get(NEWS).content.decode().strip() == ""
    after = cursor_of(send_message(bob, alice))
    assert as_alice.get(NEWS, {"after": after}).content.decode().strip() == ""


def test_it_says_what_the_other_has_seen(as_alice, alice, bob, send_message):
    message = send_message(alice, bob)
    after = cursor_of(message)
    assert "data-seen=" not in as_alice.get(NEWS, {"after": after}).content.decode()
    Message.objects.update(read_at=timezone.now())
    page = as_alice.get(NEWS, {"after": after}).content.decode()
    assert f'data-seen="message-{message.pk}"' in page
    assert "<article" not in page


def test_across_a_block_there_is_no_news(as_alice, alice, bob, send_message):
    send_message(bob, alice)
    Block.objects.put(bob, alice)
    assert as_alice.get(NEWS).status_code == 404


def test_what_others_say_is_theirs(client, alice, bob, make_user, send_message):
    send_message(alice, bob)
    client.force_login(make_user("carol"))
    assert shown(client.get(NEWS)) == []


def test_it_takes_six_queries_and_writes_nothing(
    as_alice, alice, bob, send_message, django_assert_num_queries
):
    for _ in range(10):
        send_message(bob, alice)
        send_message(alice, bob)
    with django_assert_num_queries(
        6
    ) as queries:  # session, person, conversation, block, messages, seen
        as_alice.get(NEWS)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_an_open_page_is_no_visit(as_alice, alice):
    as_alice.get(NEWS)
    alice.refresh_from_db()
    assert alice.last_seen_at is None


def test_it_is_read_from_the_index_of_pages(alice, bob, send_message):
    message = send_message(alice, bob)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    rows = Message.objects.filter(conversation=message.conversation)
    plan = rows_since(rows, read_cursor(cursor_of(message), Message)).explain()
    assert "blog_message_pages" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_nothing_lies_before_the_beginning(alice, bob, send_message):
    message = send_message(alice, bob)
    assert list(rows_since(Message.objects.all(), BEGINNING)) == [message]


def test_reading_goes_up_to_what_the_page_showed(as_alice, alice, bob, send_message):
    send_message(bob, alice, "one")
    until = cursor_of(send_message(bob, alice, "two"))
    own = send_message(alice, bob, "own")
    send_message(bob, alice, "three")
    assert as_alice.post(READ, {"until": until}).url == "/messages/@bob/"
    assert set(Message.objects.unread().values_list("body", flat=True)) == {"own", "three"}
    assert alice.notifications.unread().exists()
    as_alice.post(READ, {"until": cursor_of(Message.objects.get(body="three"))})
    assert list(Message.objects.unread()) == [own]
    assert not alice.notifications.unread().exists()
    assert bob.notifications.unread().exists()


def test_what_was_read_once_keeps_its_time(as_alice, alice, bob, send_message):
    until = cursor_of(send_message(bob, alice))
    then = timezone.now()
    Message.objects.update(read_at=then)
    as_alice.post(READ, {"until": until})
    assert Message.objects.get().read_at == then


def test_a_script_needs_no_page_for_an_answer(as_alice, alice, bob, send_message):
    until = cursor_of(send_message(bob, alice))
    response = as_alice.post(READ, {"until": until}, headers={"x-fragment": "true"})
    assert response.status_code == 204
    assert not Message.objects.unread().exists()


def test_others_messages_stay_unread(client, alice, bob, make_user, send_message):
    until = cursor_of(send_message(bob, alice))
    client.force_login(make_user("carol"))
    client.post(READ, {"until": until})
    client.post("/messages/@alice/read/", {"until": until})
    assert Message.objects.unread().exists()


@pytest.mark.parametrize("typed", [{}, {"until": ""}, {"until": "nonsense"}])
def test_a_bad_place_is_not_found(as_alice, typed):
    assert as_alice.post(READ, typed).status_code == 404
    assert as_alice.get(NEWS, {"after": "nonsense"}).status_code == 404


def test_there_must_be_somebody_of_that_name(as_alice):
    assert as_alice.post("/messages/@nobody/read/", {"until": "0-0"}).status_code == 404
    assert as_alice.get("/messages/@nobody/news/").status_code == 404


def test_a_visitor_signs_in_first(client, bob):
    assert client.post(READ, {"until": "0-0"}).url == "/accounts/login/?next=/messages/%40bob/"
    assert client.get(NEWS).url.startswith("/accounts/login/")


def test_each_has_its_method(as_alice):
    assert as_alice.get(READ).status_code == 405
    assert as_alice.post(NEWS).status_code == 405
