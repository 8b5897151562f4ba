import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from blog import rate_limits as limits
from blog.accounts.deletion import delete_account
from blog.models import MESSAGE_LENGTH, Block, Conversation, Message, Notification, User
from blog.pagination import PAGE_SIZE, cursor_of, rows_after
from blog.rate_limits import Rate
from conftest import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/messages/@bob/"


@pytest.fixture
def as_alice(as_alice, bob):
    as_alice.get("/")  # which notes that she is here
    return as_alice


@pytest.fixture
def write(as_alice):
    return lambda body, url=URL, **more: as_alice.post(url, {"body": body, **more})


def shown(response):
    return [message.body for message in response.context["said"]]


def test_the_first_message_begins_the_conversation(write, alice, bob):
    response = write("  Hello, <b>bob</b>!\r\n\r\nHow are you?  ")
    assert response.url == "/messages/@bob/#newest"
    message = Message.objects.get()
    assert (message.sender, message.recipient) == (alice, bob)
    assert message.body == "Hello, <b>bob</b>!\n\nHow are you?"
    assert set(
        message.conversation.participants.values_list("person", "other", "last_message_at")
    ) == {
        (alice.pk, bob.pk, message.created_at),
        (bob.pk, alice.pk, message.created_at),
    }


def test_looking_begins_none(as_alice):
    assert "Nothing here yet." in as_alice.get(URL).content.decode()
    assert not Conversation.objects.exists()


def test_both_read_it_with_its_links(client, alice, bob, send_message):
    send_message(alice, bob, "see https://microblog.example/ and @alice, <i>please</i>")
    for reader, url in ((alice, URL), (bob, "/messages/@alice/")):
        client.force_login(reader)
        page = client.get(url).content.decode()
        assert '<a href="https://microblog.example/" rel="nofollow ugc noopener">' in page
        assert ">@alice</a>" in page
        assert "&lt;i&gt;please" in page


def test_an_answer_is_in_the_same_conversation(write, client, alice, bob, send_message):
    send_message(bob, alice)
    write("And you?")
    assert Conversation.objects.count() == 1


def test_pages_lead_to_the_oldest_each_in_the_order_of_talk(as_alice, alice, bob, send_message):
    for number in range(PAGE_SIZE + 5):
        send_message(*((alice, bob) if number % 2 else (bob, alice)), f"number {number}")
    newest = as_alice.get(URL)
    older = as_alice.get(URL, {"before": newest.context["page"].older})
    assert shown(older) + shown(newest) == [f"number {number}" for number in range(PAGE_SIZE + 5)]
    assert "Older messages" in newest.content.decode()
    assert "Older messages" not in older.content.decode()
    assert "<textarea" not in older.content.decode()


def test_messages_never_share_a_moment_and_never_go_back(alice, bob, send_message, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("blog.models.message.timezone.now", lambda: now)
    first, second = send_message(alice, bob), send_message(bob, alice)
    monkeypatch.setattr("blog.models.message.timezone.now", lambda: now - timedelta(hours=1))
    third = send_message(alice, bob)
    assert first.created_at == now
    assert first.created_at < second.created_at < third.created_at


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "Your message is empty."),
        (" \r\n\t ", "Your message is empty."),
        ("\u200b\u2060", "Your message has nothing to see in it."),
        ("a\0b", "Your message holds a NUL character"),
        ("x" * 2001, "Your message has 2001 characters; 2000 are allowed."),
    ],
)
def test_a_refused_message_says_why(write, body, words):
    response = write(body)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Message.objects.exists()


def test_the_longest_has_2000_code_points(write):
    assert write("🌊" * MESSAGE_LENGTH).status_code == 302
    assert write("<b>" + "🌊" * MESSAGE_LENGTH).status_code == 422
    assert Message.objects.get().body == "🌊" * MESSAGE_LENGTH


def test_a_refused_text_is_kept(write):
    assert "&lt;b&gt;xxx" in write("<b>" + "x" * 2000).content.decode()


def test_what_was_typed_survives_an_expired_session(client, alice, bob):
    text = "long & careful words " * 90
    response = client.post(URL, {"body": text})
    assert response.url == "/accounts/login/?next=/messages/%40bob/"
    assert client.post(response.url, {"login": "alice", "password": PASSWORD}).url == URL
    assert ("long &amp; careful words " * 90).strip() in client.get(URL).content.decode()
    assert not Message.objects.exists()


def test_a_text_that_came_too_often_is_kept(write, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(limits.RATES, "message", Rate(2, 9, 3600))
    assert [write(f"number {number}").status_code for number in range(2)] == [302, 302]
    response = write("one more")
    assert response.status_code == 429
    assert int(response["Retry-After"]) <= 3600
    assert "one more</textarea>" in response.content.decode()
    assert Message.objects.count() == 2


def test_what_is_sent_twice_is_said_once(as_alice, write):
    for said in ("hello", "hello again"):
        after = as_alice.get(URL).context["newest"]
        assert [write(said, after=after).status_code for _ in range(2)] == [302, 302]
    assert list(Message.objects.values_list("body", flat=True)) == ["hello", "hello again"]


def test_who_says_the_same_again_is_heard_again(as_alice, write):
    for _ in range(2):
        write("ha", after=as_alice.get(URL).context["newest"])
    assert Message.objects.count() == 2


def test_it_is_no_repetition_if_the_other_said_it(as_alice, write, alice, bob, send_message):
    after = as_alice.get(URL).context["newest"]
    send_message(bob, alice, "snap")
    write("snap", after=after)
    assert Message.objects.count() == 2


@pytest.mark.parametrize("after", ["nonsense", "", "9" * 40 + "-1"])
def test_a_forged_place_is_not_found(write, after):
    assert write("hello", after=after).status_code == 404
    assert not Message.objects.exists()


def test_the_recipient_is_told_but_not_what_it_says(write, alice, bob):
    write("our secret")
    told = bob.notifications.get()
    assert told.name == f"message:{Conversation.objects.get().pk}"
    assert told.actor == alice
    assert told.payload == {"name": "alice"}
    assert not alice.notifications.exists()


def test_a_message_and_word_of_it_come_together_or_not_at_all(as_alice, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(type(Notification.objects.all()), "put", fail)
    with pytest.raises(RuntimeError):
        as_alice.post(URL, {"body": "hello"})
    assert not Message.objects.exists()


def test_answering_has_read_what_the_page_showed_and_no_more(as_alice, write, alice, bob, send_message):
    seen = send_message(bob, alice, "seen")
    after = as_alice.get(URL).context["newest"]
    unseen = send_message(bob, alice, "unseen")
    write("answer", after=after)
    seen.refresh_from_db()
    unseen.refresh_from_db()
    assert seen.read_at
    assert unseen.read_at is None
    assert alice.notifications.unread().exists()


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_it_changes_nothing(as_alice, alice, bob, send_message, method):
    send_message(bob, alice)
    getattr(as_alice, method)(URL)
    assert Message.objects.unread().exists()


def test_without_scripts_a_button_marks_what_is_unread(as_alice, alice, bob, send_message):
    form = r'action="/messages/@bob/read/" data-read hidden'
    send_message(bob, alice)
    assert not re.search(form, as_alice.get(URL).content.decode())
    Message.objects.update(read_at=timezone.now())
    assert re.search(form, as_alice.get(URL).content.decode())


def test_the_sender_sees_which_was_read_last(as_alice, alice, bob, send_message):
    _first, second, third = (send_message(alice, bob, body) for body in ("one", "two", "three"))
    send_message(bob, alice, "four")
    assert "data-seen=" not in as_alice.get(URL).content.decode()
    Message.objects.exclude(pk=third.pk).update(read_at=timezone.now())
    page = as_alice.get(URL).content.decode()
    assert re.findall(r'data-seen="message-(\d+)"', page) == [str(second.pk)]
    assert "Seen now" in page


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_a_block_hides_what_was_said_and_keeps_the_text_that_comes_too_late(
    as_alice, write, alice, bob, send_message, blocker
):
    send_message(bob, alice, "Bob was here")
    Block.objects.put(*((alice, bob) if blocker == "alice" else (bob, alice)))
    response = as_alice.get(URL)
    assert response.status_code == 403
    assert "You and bob cannot write to each other any more." in response.content.decode()
    assert "Bob was here" not in response.content.decode()
    response = write("too late")
    assert response.status_code == 403
    assert "Your message was not sent." in response.content.decode()
    assert "too late</textarea>" in response.content.decode()
    assert Message.objects.count() == 1


def test_nobody_reads_messages_of_a_closed_account_any_more(as_alice, write, alice, bob, send_message):
    send_message(bob, alice, "Bob was here")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    response = as_alice.get(URL)
    assert response.status_code == 200
    assert "Bob was here" in response.content.decode()
    assert "bob has closed their account" in response.content.decode()
    assert "<textarea" not in response.content.decode()
    assert 'href="/@bob/"' not in response.content.decode()
    assert write("too late").status_code == 403
    assert Message.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", ["alice", "ALICE", "nobody", "closed", "blocked"])
def test_there_must_be_somebody_else_of_that_name(as_alice, alice, make_user, name, method):
    make_user("closed", is_active=False)
    Block.objects.put(make_user("blocked"), alice)
    assert getattr(as_alice, method)(f"/messages/@{name}/", {"body": "hello"}).status_code == 404
    assert not Conversation.objects.exists()


def test_a_name_in_another_case_leads_to_the_one_address(as_alice):
    assert as_alice.get("/messages/@BOB/").url == URL


def test_a_stranger_reads_and_writes_in_no_conversation_but_their_own(
    client, alice, bob, make_user, send_message
):
    send_message(alice, bob, "Between us")
    client.force_login(make_user("carol"))
    assert "Between us" not in client.get(URL).content.decode()
    client.post(URL, {"body": "hello"})
    assert Conversation.objects.count() == 2


def test_a_visitor_is_sent_to_sign_in(client, bob):
    assert client.get(URL).url == "/accounts/login/?next=/messages/%40bob/"


def test_it_goes_for_both_with_either_account(alice, bob, send_message):
    send_message(alice, bob)
    delete_account(bob)
    assert not Conversation.objects.exists()
    assert not alice.conversations.exists()


def test_the_account_page_says_so(as_alice):
    assert (
        "Your conversations go for both sides" in as_alice.get("/settings/delete/").content.decode()
    )


def test_a_script_gets_what_is_new_alone(as_alice, alice, bob, send_message):
    after = cursor_of(send_message(alice, bob, "old"))
    send_message(bob, alice, "meanwhile")
    response = as_alice.post(URL, {"body": "new", "after": after}, headers={"x-fragment": "true"})
    assert response.status_code == 201
    assert shown(response) == ["meanwhile", "new"]
    assert "<html" not in response.content.decode()


def test_it_takes_as_many_queries_for_many_as_for_one(
    as_alice, alice, bob, send_message, django_assert_num_queries
):
    send_message(bob, alice)
    with django_assert_num_queries(
        7
    ) as queries:  # session, person, conversation, block, messages, news, bars
        as_alice.get(URL)
    for _ in range(PAGE_SIZE):
        send_message(bob, alice)
        send_message(alice, bob)
    with django_assert_num_queries(7):
        as_alice.get(URL)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


@pytest.mark.parametrize("is_first", [True, False], ids=["newest page", "older page"])
def test_a_page_is_read_from_its_index(alice, bob, send_message, is_first):
    said = [send_message(alice, bob) for _ in range(3)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    before = None if is_first else cursor_of(said[-1])
    rows = Message.objects.filter(conversation=said[0].conversation)
    plan = rows_after(rows, before)[: PAGE_SIZE + 1].explain()
    assert "blog_message_pages" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("page", ["/@bob/", "/@bob/card/"])
def test_a_profile_and_a_card_lead_there(as_alice, client, page):
    link = 'href="/messages/@bob/#newest"'
    assert link in as_alice.get(page).content.decode()
    assert "/messages/@alice/" not in as_alice.get("/@alice/").content.decode()
    client.logout()
    assert link not in client.get(page).content.decode()
