import re

import pytest
from django.db import connection

from blog.models import Block, Conversation, Message, Mute, User
from blog.pagination import PAGE_SIZE, paginate

pytestmark = pytest.mark.django_db
URL = "/messages/"


@pytest.fixture
def as_alice(as_alice):
    as_alice.get("/")  # touches last_seen_at, so that the query counts below stay equal
    return as_alice


@pytest.fixture
def make_users(make_user):
    return lambda count: [make_user(f"p{number:02}") for number in range(count)]


def names(response):
    return [row.other.username for row, _last in response.context["conversations"]]


def test_conversation_with_latest_message_comes_first(as_alice, alice, make_users, send_message):
    one, two, three = make_users(3)
    for person in (one, two, three):
        send_message(person, alice)
    send_message(alice, one)
    assert names(as_alice.get(URL)) == ["p00", "p02", "p01"]


def test_conversation_shows_last_message_and_unread_count(as_alice, alice, bob, send_message):
    for number in range(3):
        send_message(bob, alice, f"Number {number}")
    page = as_alice.get(URL).content.decode()
    assert "Number 2" in page
    assert "Number 1" not in page
    assert re.search(
        r'class="badge conversation-count">3<span class="visually-hidden"> unread', page
    )
    send_message(alice, bob, "<b>" + "long " * 50)
    page = as_alice.get(URL).content.decode()
    assert re.search(r"You:</span> &lt;b&gt;long [long ]+…</p>", page)


def test_conversation_list_excludes_conversations_of_others(as_alice, bob, make_user, send_message):
    send_message(bob, make_user("carol"), "Between us")
    assert "Between us" not in as_alice.get(URL).content.decode()


def test_conversation_list_pages_reach_the_oldest(as_alice, alice, make_users, send_message):
    for person in make_users(PAGE_SIZE + 5):
        send_message(person, alice)
    response = as_alice.get(URL)
    older = as_alice.get(URL, {"before": response.context["page"].older})
    assert names(response) + names(older) == [
        f"p{number:02}" for number in reversed(range(PAGE_SIZE + 5))
    ]
    assert older.context["page"].older is None


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_conversation_is_hidden_during_block(as_alice, alice, bob, send_message, blocker):
    send_message(bob, alice)
    Block.objects.block(*((alice, bob) if blocker == "alice" else (bob, alice)))
    assert names(as_alice.get(URL)) == []
    Block.objects.all().delete()
    assert names(as_alice.get(URL)) == ["bob"]


@pytest.mark.parametrize("reason", ["mute", "inactive"])
def test_conversation_stays_listed_after_mute_or_deactivation(
    as_alice, alice, bob, send_message, reason
):
    send_message(bob, alice)
    if reason == "mute":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert names(as_alice.get(URL)) == ["bob"]


def test_empty_conversation_is_not_listed(as_alice, alice, bob):
    Conversation.objects.get_or_create_between(alice, bob)
    assert names(as_alice.get(URL)) == []
    assert "No messages yet." in as_alice.get(URL).content.decode()


def test_conversation_list_makes_constant_queries(
    as_alice, alice, make_users, send_message, django_assert_num_queries
):
    first, *others = make_users(PAGE_SIZE)
    send_message(first, alice)
    # Session, user, conversations, last messages, latest exports, progress bars.
    with django_assert_num_queries(6) as queries:
        as_alice.get(URL)
    for person in others:
        for _ in range(3):
            send_message(person, alice)
    with django_assert_num_queries(6):
        as_alice.get(URL)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_conversation_list_uses_indexes(alice, make_users, send_message):
    for person in make_users(5):
        send_message(person, alice)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # The tables are small, so PostgreSQL would prefer to read them whole.
            for plan in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{plan} = off")
    participants = alice.conversations.listed_for(alice).select_related("other")
    page = paginate(participants, None, order_by="last_message_at")
    plan = participants.order_by("-last_message_at", "-pk")[: PAGE_SIZE + 1].explain()
    assert "blog_participant_list" in plan
    assert "blog_message_unread" in plan
    assert "Seq Scan" not in plan
    assert "SORT" not in plan.upper().replace("SORT KEY", "")
    times = {row.conversation_id: row.last_message_at for row in page.items}
    last = Message.objects.filter(conversation__in=times, created_at__in=times.values())
    assert "blog_message_pages" in last.explain()


def test_anonymous_conversation_list_redirects_to_login(client):
    assert client.get(URL).url == "/accounts/login/?next=/messages/"


def test_conversation_list_is_not_stored(as_alice):
    assert "no-store" in as_alice.get(URL)["Cache-Control"]


def test_conversation_list_rejects_bad_cursor(as_alice):
    assert as_alice.get(URL, {"before": "nonsense"}).status_code == 404


def test_conversation_list_rejects_post(as_alice):
    assert as_alice.post(URL).status_code == 405
