import re

import pytest
from django.db import connection

from blog.models import Block, Conversation, Message, Mute, User
from blog.pagination import PAGE_SIZE, paginate

pytestmark = pytest.mark.django_db
URL = "/messages/"


@pytest.fixture
def as_alice(as_alice):
    as_alice.get("/")  # which notes that she is here
    return as_alice


@pytest.fixture
def people(make_user):
    return lambda count: [make_user(f"p{number:02}") for number in range(count)]


def names(response):
    return [place.other.username for place, _last in response.context["conversations"]]


def test_the_liveliest_comes_first(as_alice, alice, people, send_message):
    one, two, three = people(3)
    for person in (one, two, three):
        send_message(person, alice)
    send_message(alice, one)
    assert names(as_alice.get(URL)) == ["p00", "p02", "p01"]


def test_each_has_its_last_message_and_how_many_are_unread(as_alice, alice, bob, send_message):
    for number in range(3):
        send_message(bob, alice, f"Number {number}")
    page = as_alice.get(URL).content.decode()
    assert "Number 2" in page
    assert "Number 1" not in page
    assert re.search(r'class="badge">3<span class="visually-hidden"> unread', page)
    send_message(alice, bob, "<b>" + "long " * 50)
    page = as_alice.get(URL).content.decode()
    assert re.search(r"You:</span> &lt;b&gt;long [long ]+…</p>", page)


def test_what_others_write_to_each_other_is_not_there(as_alice, bob, make_user, send_message):
    send_message(bob, make_user("carol"), "Between us")
    assert "Between us" not in as_alice.get(URL).content.decode()


def test_pages_lead_to_the_oldest(as_alice, alice, people, send_message):
    for person in people(PAGE_SIZE + 5):
        send_message(person, alice)
    response = as_alice.get(URL)
    older = as_alice.get(URL, {"before": response.context["page"].older})
    assert names(response) + names(older) == [
        f"p{number:02}" for number in reversed(range(PAGE_SIZE + 5))
    ]
    assert older.context["page"].older is None


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_a_conversation_is_hidden_while_a_block_stands(as_alice, alice, bob, send_message, blocker):
    send_message(bob, alice)
    Block.objects.put(*((alice, bob) if blocker == "alice" else (bob, alice)))
    assert names(as_alice.get(URL)) == []
    Block.objects.all().delete()
    assert names(as_alice.get(URL)) == ["bob"]


@pytest.mark.parametrize("silence", ["mute", "closed account"])
def test_it_stays_through_a_mute_and_the_closing_of_the_other_account(
    as_alice, alice, bob, send_message, silence
):
    send_message(bob, alice)
    if silence == "mute":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert names(as_alice.get(URL)) == ["bob"]


def test_one_that_was_never_begun_is_not_there(as_alice, alice, bob):
    Conversation.objects.between(alice, bob)
    assert names(as_alice.get(URL)) == []
    assert "No messages yet." in as_alice.get(URL).content.decode()


def test_it_takes_as_many_queries_for_many_as_for_one(
    as_alice, alice, people, send_message, django_assert_num_queries
):
    first, *others = people(PAGE_SIZE)
    send_message(first, alice)
    with django_assert_num_queries(
        6
    ) as queries:  # session, person, conversations, last messages, news, bars
        as_alice.get(URL)
    for person in others:
        for _ in range(3):
            send_message(person, alice)
    with django_assert_num_queries(6):
        as_alice.get(URL)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_no_table_is_read_as_a_whole(alice, people, send_message):
    for person in people(5):
        send_message(person, alice)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Few people write here: without this, reading it all is as good as any plan.
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
            )
    places = alice.conversations.listed_for(alice).select_related("other")
    page = paginate(places, None, by="last_message_at")
    plan = places.order_by("-last_message_at", "-pk")[: PAGE_SIZE + 1].explain()
    assert "blog_participant_list" in plan
    assert "blog_message_unread" in plan
    assert "Seq Scan" not in plan
    assert "SORT" not in plan.upper().replace("SORT KEY", "")
    wanted = {place.conversation_id: place.last_message_at for place in page.items}
    last = Message.objects.filter(conversation__in=wanted, created_at__in=wanted.values())
    assert "blog_message_pages" in last.explain()


def test_a_visitor_is_sent_to_sign_in(client):
    assert client.get(URL).url == "/accounts/login/?next=/messages/"


def test_no_browser_keeps_it(as_alice):
    assert "no-store" in as_alice.get(URL)["Cache-Control"]


def test_a_bad_cursor_is_not_found(as_alice):
    assert as_alice.get(URL, {"before": "nonsense"}).status_code == 404


def test_it_cannot_be_posted_to(as_alice):
    assert as_alice.post(URL).status_code == 405
