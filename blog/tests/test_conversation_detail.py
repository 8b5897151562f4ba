import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from blog import rate_limits
from blog.models import MAX_MESSAGE_LENGTH, Block, Conversation, Message, Notification, User
from blog.pagination import PAGE_SIZE, format_cursor, older_rows
from blog.rate_limits import Rate
from conftest import PASSWORD, delete_account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bob")]
URL = "/messages/@bob/"


@pytest.fixture
def as_alice(as_alice):
    as_alice.get("/")  # touches last_seen_at, so that the query counts below stay equal
    return as_alice


@pytest.fixture
def write(as_alice):
    return lambda body, url=URL, **more: as_alice.post(url, {"body": body, **more})


def shown(response):
    return [message.body for message in response.context["message_list"]]


def test_first_message_creates_conversation(write, alice, bob):
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


def test_viewing_creates_no_conversation(as_alice):
    assert "Nothing here yet." in as_alice.get(URL).content.decode()
    assert not Conversation.objects.exists()


def test_both_participants_see_message_with_links(client, alice, bob, send_message):
    send_message(alice, bob, "see https://microblog.example/ and @alice, <i>please</i>")
    for reader, url in ((alice, URL), (bob, "/messages/@alice/")):
        client.force_login(reader)
        page = client.get(url).content.decode()
        assert '<a href="https://microblog.example/" rel="nofollow ugc noopener">' in page
        assert ">@alice</a>" in page
        assert "&lt;i&gt;please" in page


def test_reply_uses_same_conversation(write, client, alice, bob, send_message):
    send_message(bob, alice)
    write("And you?")
    assert Conversation.objects.count() == 1


def test_conversation_pages_reach_the_oldest_in_order(as_alice, alice, bob, send_message):
    for number in range(PAGE_SIZE + 5):
        send_message(*((alice, bob) if number % 2 else (bob, alice)), f"number {number}")
    newest = as_alice.get(URL)
    older = as_alice.get(URL, {"before": newest.context["page"].older})
    assert shown(older) + shown(newest) == [f"number {number}" for number in range(PAGE_SIZE + 5)]
    assert "Older messages" in newest.content.decode()
    assert "Older messages" not in older.content.decode()
    assert "<textarea" not in older.content.decode()


def test_message_times_strictly_increase(alice, bob, send_message, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("blog.models.message.timezone.now", lambda: now)
    first, second = send_message(alice, bob), send_message(bob, alice)
    monkeypatch.setattr("blog.models.message.timezone.now", lambda: now - timedelta(hours=1))
    third = send_message(alice, bob)
    assert first.created_at == now
    assert first.created_at < second.created_at < third.created_at


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "Your message is empty."),
        (" \r\n\t ", "Your message is empty."),
        ("\u200b\u2060", "Your message has nothing to see in it."),
        ("a\0b", "Your message holds a NUL character"),
        ("x" * 2001, "Your message has 2001 characters; 2000 are allowed."),
    ],
)
def test_invalid_message_is_rejected_with_reason(write, body, error):
    response = write(body)
    assert response.status_code == 422
    assert error in response.content.decode()
    assert not Message.objects.exists()


def test_message_length_limit_counts_code_points(write):
    assert write("🌊" * MAX_MESSAGE_LENGTH).status_code == 302
    assert write("<b>" + "🌊" * MAX_MESSAGE_LENGTH).status_code == 422
    assert Message.objects.get().body == "🌊" * MAX_MESSAGE_LENGTH


def test_rejected_message_text_is_kept(write):
    assert "&lt;b&gt;xxx" in write("<b>" + "x" * 2000).content.decode()


def test_draft_message_survives_expired_session(client, alice, bob):
    text = "long & careful words " * 90
    response = client.post(URL, {"body": text})
    assert response.url == "/accounts/login/?next=/messages/%40bob/"
    assert client.post(response.url, {"login": "alice", "password": PASSWORD}).url == URL
    assert ("long &amp; careful words " * 90).strip() in client.get(URL).content.decode()
    assert not Message.objects.exists()


def test_rate_limited_message_text_is_kept(write, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "message", Rate(2, 9, 3600))
    assert [write(f"number {number}").status_code for number in range(2)] == [302, 302]
    response = write("one more")
    assert response.status_code == 429
    assert int(response["Retry-After"]) <= 3600
    assert "one more</textarea>" in response.content.decode()
    assert Message.objects.count() == 2


def test_repeated_submission_creates_one_message(as_alice, write):
    for body in ("hello", "hello again"):
        after = as_alice.get(URL).context["newest_cursor"]
        assert [write(body, after=after).status_code for _ in range(2)] == [302, 302]
    assert list(Message.objects.values_list("body", flat=True)) == ["hello", "hello again"]


def test_same_text_may_be_sent_again_later(as_alice, write):
    for _ in range(2):
        write("ha", after=as_alice.get(URL).context["newest_cursor"])
    assert Message.objects.count() == 2


def test_same_text_by_other_is_no_repetition(as_alice, write, alice, bob, send_message):
    after = as_alice.get(URL).context["newest_cursor"]
    send_message(bob, alice, "snap")
    write("snap", after=after)
    assert Message.objects.count() == 2


@pytest.mark.parametrize("after", ["nonsense", "", "9" * 40 + "-1"])
def test_message_with_bad_cursor_is_not_found(write, after):
    assert write("hello", after=after).status_code == 404
    assert not Message.objects.exists()


def test_message_notification_does_not_contain_text(write, alice, bob):
    write("our secret")
    notification = bob.notifications.get()
    assert notification.name == f"message:{Conversation.objects.get().pk}"
    assert notification.actor == alice
    assert notification.payload == {"name": "alice"}
    assert not alice.notifications.exists()


def test_message_is_rolled_back_when_notification_fails(as_alice, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(type(Notification.objects.all()), "upsert", fail)
    with pytest.raises(RuntimeError):
        as_alice.post(URL, {"body": "hello"})
    assert not Message.objects.exists()


def test_reply_marks_only_shown_messages_read(as_alice, write, alice, bob, send_message):
    seen = send_message(bob, alice, "seen")
    after = as_alice.get(URL).context["newest_cursor"]
    unseen = send_message(bob, alice, "unseen")
    write("answer", after=after)
    seen.refresh_from_db()
    unseen.refresh_from_db()
    assert seen.read_at
    assert unseen.read_at is None
    assert alice.notifications.unread().exists()


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_conversation_marks_nothing_read(as_alice, alice, bob, send_message, method):
    send_message(bob, alice)
    getattr(as_alice, method)(URL)
    assert Message.objects.unread().exists()


def test_mark_read_button_appears_when_unread(as_alice, alice, bob, send_message):
    form = r'action="/messages/@bob/read/" data-mark-read hidden'
    send_message(bob, alice)
    assert not re.search(form, as_alice.get(URL).content.decode())
    Message.objects.update(read_at=timezone.now())
    assert re.search(form, as_alice.get(URL).content.decode())


def test_sender_sees_last_read_message(as_alice, alice, bob, send_message):
    _first, second, third = (send_message(alice, bob, body) for body in ("one", "two", "three"))
    send_message(bob, alice, "four")
    assert "data-seen=" not in as_alice.get(URL).content.decode()
    Message.objects.exclude(pk=third.pk).update(read_at=timezone.now())
    page = as_alice.get(URL).content.decode()
    assert re.findall(r'data-seen="message-(\d+)"', page) == [str(second.pk)]
    assert "Seen now" in page


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_block_hides_messages_and_keeps_rejected_text(
    as_alice, write, alice, bob, send_message, blocker
):
    send_message(bob, alice, "Bob was here")
    Block.objects.block(*((alice, bob) if blocker == "alice" else (bob, alice)))
    response = as_alice.get(URL)
    assert response.status_code == 403
    assert "You and bob cannot write to each other any more." in response.content.decode()
    assert "Bob was here" not in response.content.decode()
    response = write("too late")
    assert response.status_code == 403
    assert "Your message was not sent." in response.content.decode()
    assert "too late</textarea>" in response.content.decode()
    assert Message.objects.count() == 1


def test_inactive_user_receives_no_messages(as_alice, write, alice, bob, send_message):
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
@pytest.mark.parametrize("name", ["alice", "ALICE", "nobody", "inactive", "blocked"])
def test_conversation_with_invalid_recipient_is_not_found(as_alice, alice, make_user, name, method):
    make_user("inactive", is_active=False)
    Block.objects.block(make_user("blocked"), alice)
    assert getattr(as_alice, method)(f"/messages/@{name}/", {"body": "hello"}).status_code == 404
    assert not Conversation.objects.exists()


def test_username_case_redirects_to_canonical_url(as_alice):
    assert as_alice.get("/messages/@BOB/").url == URL


def test_stranger_cannot_read_or_join_conversation(client, alice, bob, make_user, send_message):
    send_message(alice, bob, "Between us")
    client.force_login(make_user("carol"))
    assert "Between us" not in client.get(URL).content.decode()
    client.post(URL, {"body": "hello"})
    assert Conversation.objects.count() == 2


def test_anonymous_conversation_redirects_to_login(client, bob):
    assert client.get(URL).url == "/accounts/login/?next=/messages/%40bob/"


def test_conversation_is_deleted_with_either_account(alice, bob, send_message):
    send_message(alice, bob)
    delete_account(bob)
    assert not Conversation.objects.exists()
    assert not alice.conversations.exists()


def test_delete_page_warns_about_conversations(as_alice):
    assert (
        "Your conversations go for both sides" in as_alice.get("/settings/delete/").content.decode()
    )


def test_message_by_script_returns_only_new_messages(as_alice, alice, bob, send_message):
    after = format_cursor(send_message(alice, bob, "old"))
    send_message(bob, alice, "meanwhile")
    response = as_alice.post(URL, {"body": "new", "after": after}, headers={"x-fragment": "true"})
    assert response.status_code == 201
    assert shown(response) == ["meanwhile", "new"]
    assert "<html" not in response.content.decode()


def test_conversation_makes_constant_queries(
    as_alice, alice, bob, send_message, django_assert_num_queries
):
    send_message(bob, alice)
    # Session, user, conversation, block, messages, latest exports, progress bars.
    with django_assert_num_queries(7) as queries:
        as_alice.get(URL)
    for _ in range(PAGE_SIZE):
        send_message(bob, alice)
        send_message(alice, bob)
    with django_assert_num_queries(7):
        as_alice.get(URL)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


@pytest.mark.parametrize("is_first", [True, False], ids=["newest page", "older page"])
def test_conversation_page_uses_index(alice, bob, send_message, is_first):
    messages = [send_message(alice, bob) for _ in range(3)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    before = None if is_first else format_cursor(messages[-1])
    rows = Message.objects.filter(conversation=messages[0].conversation)
    plan = older_rows(rows, before)[: PAGE_SIZE + 1].explain()
    assert "blog_message_pages" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("page", ["/@bob/", "/@bob/card/"])
def test_profile_and_card_link_to_conversation(as_alice, client, page):
    link = 'href="/messages/@bob/#newest"'
    assert link in as_alice.get(page).content.decode()
    assert "/messages/@alice/" not in as_alice.get("/@alice/").content.decode()
    client.logout()
    assert link not in client.get(page).content.decode()
