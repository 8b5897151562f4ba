import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Mute, Notification, Post
from blog.pagination import older_rows
from exports.models import ExportTask

pytestmark = pytest.mark.django_db
URL = "/notifications/all/"


@pytest.fixture
def follow_notification(alice, bob):
    alice.notifications.upsert(alice.pk, f"follow:{bob.pk}", {"name": "bob"}, actor=bob)


def test_notifications_are_listed_newest_first_with_unread_mark(
    as_alice, alice, bob, follow_notification
):
    alice.notifications.upsert(alice.pk, "mention:7", {"name": "bob", "post": 7}, actor=bob)
    alice.notifications.filter(name="mention:7").update(
        updated_at=timezone.now() - timedelta(hours=1), read_at=timezone.now()
    )
    page = as_alice.get(URL).content.decode()
    assert page.index("bob follows you now") < page.index("bob mentioned you")
    assert page.count("is-unread") == 1


def test_export_is_listed_once_finished_with_title(as_alice, alice):
    task = ExportTask.objects.create(owner=alice, kind="account")
    task.notify_owner()
    assert "Nothing yet." in as_alice.get(URL).content.decode()
    task.claim()
    task.fail("ERROR", "")
    assert re.search(
        r"<b>Your account\.</b> [^<]*could not be built", as_alice.get(URL).content.decode()
    )


def mark_read_button(client, **kwargs):
    """Load the page and return a function that presses its button."""
    (until,) = re.findall('name="until" value="(.+?)"', client.get(URL).content.decode())
    return lambda: client.post("/notifications/read/", {"until": until}, **kwargs)


def test_button_marks_read_and_viewing_does_not(as_alice, alice, follow_notification):
    press = mark_read_button(as_alice)
    assert alice.notifications.unread().count() == 1
    assert press().url == URL
    assert alice.notifications.unread().count() == 0
    assert mark_read_button(as_alice, headers={"X-Fragment": "true"})().status_code == 204


def test_mark_read_keeps_later_notifications_unread(as_alice, alice, bob, follow_notification):
    press = mark_read_button(as_alice)
    alice.notifications.upsert(alice.pk, "mention:7", {"name": "bob", "post": 7}, actor=bob)
    alice.notifications.filter(name="mention:7").update(
        updated_at=timezone.now() + timedelta(seconds=1)
    )
    press()
    assert [row.name for row in alice.notifications.unread()] == ["mention:7"]


@pytest.mark.parametrize("until", ["yesterday", "2026-11-23T10:00:00", "9999-12-31T23:59:59-12:00"])
def test_mark_read_rejects_bad_time(as_alice, alice, follow_notification, until):
    assert as_alice.post("/notifications/read/", {"until": until}).status_code == 404
    assert alice.notifications.unread().count() == 1


def test_hidden_post_mention_is_listed_for_author(as_alice, alice, bob):
    for author in (alice, bob):
        post = baker.make(Post, author=author, hidden_at=timezone.now())
        alice.notifications.upsert(
            alice.pk, f"mention:{post.pk}", {"name": author.username, "post": post.pk}, post=post
        )
    page = as_alice.get(URL).content.decode()
    assert "alice mentioned you" in page
    assert "bob mentioned you" not in page
    assert as_alice.get("/notifications/").json()["unread"]["notifications"] == 1


def test_mark_read_button_appears_when_unread(as_alice, alice, follow_notification):
    assert "data-mark-read>" in as_alice.get(URL).content.decode()
    mark_read_button(as_alice)()
    assert "data-mark-read hidden>" in as_alice.get(URL).content.decode()


def test_navigation_shows_unread_notification_count(as_alice, alice, follow_notification):
    assert "<span data-count>1</span>" in as_alice.get("/explore/").content.decode()
    mark_read_button(as_alice)()
    assert "<span data-count>1</span>" not in as_alice.get("/explore/").content.decode()


@pytest.mark.parametrize("reason", ["blocked", "muted", "inactive"])
def test_notifications_of_unwanted_actors_are_not_listed(
    as_alice, alice, bob, follow_notification, reason
):
    if reason == "blocked":
        Block.objects.block(alice, bob)
    elif reason == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        bob.is_active = False
        bob.save()
    assert "bob follows you" not in as_alice.get(URL).content.decode()
    assert as_alice.get("/notifications/").json()["unread"]["notifications"] == 0


@pytest.mark.parametrize("number", [0, 45])
def test_notification_list_is_paginated_in_constant_queries(
    as_alice, alice, make_user, django_assert_num_queries, number
):
    for place in range(number):
        actor = make_user(f"p{place}")
        alice.notifications.upsert(
            alice.pk, f"follow:{actor.pk}", {"name": actor.username}, actor=actor
        )
    as_alice.get(URL)
    with django_assert_num_queries(5):  # session, user, notifications, latest exports, bars
        response = as_alice.get(URL)
    seen, pages = [], 0
    while True:
        page = response.context["page"]
        seen += page.items
        pages += 1
        if page.older is None:
            break
        response = as_alice.get(URL, {"before": page.older})
    assert (len(seen), len({row.pk for row in seen})) == (number, number)


def test_notification_list_uses_index(alice, follow_notification):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # The tables are small, so PostgreSQL would prefer to read them whole.
            for plan in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{plan} = off")
    rows = alice.notifications.listed().visible_to(alice).select_related("actor")
    plan = older_rows(rows, f"{2**50}-1", order_by="updated_at")[:21].explain()
    assert "blog_notification_recent" in plan
    assert "Seq Scan" not in plan
    assert not re.search(r"\bSORT\b|TEMP B-TREE|SCAN blog_notification", plan, re.IGNORECASE)


def test_notification_list_rejects_bad_cursor(as_alice):
    assert as_alice.get(URL, {"before": "x"}).status_code == 404


def test_anonymous_notification_list_redirects_to_login(client, follow_notification):
    assert client.get(URL).url.startswith("/accounts/login/")
    assert client.post("/notifications/read/").url.startswith("/accounts/login/")
    assert Notification.objects.unread().count() == 1


def test_notification_views_reject_wrong_methods(as_alice):
    assert as_alice.post(URL).status_code == 405
    assert as_alice.get("/notifications/read/").status_code == 405
