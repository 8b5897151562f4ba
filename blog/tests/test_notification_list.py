import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Mute, Notification, Post
from blog.pagination import rows_after
from exports.models import ExportTask

pytestmark = pytest.mark.django_db
URL = "/notifications/all/"


@pytest.fixture
def followed(alice, bob):
    alice.notifications.put(alice.pk, f"follow:{bob.pk}", {"name": "bob"}, actor=bob)


def test_news_is_listed_the_newest_first_and_marked(as_alice, alice, bob, followed):
    alice.notifications.put(alice.pk, "mention:7", {"name": "bob", "post": 7}, actor=bob)
    alice.notifications.filter(name="mention:7").update(
        updated_at=timezone.now() - timedelta(hours=1), read_at=timezone.now()
    )
    page = as_alice.get(URL).content.decode()
    assert page.index("bob follows you now") < page.index("bob mentioned you")
    assert page.count("is-unread") == 1


def test_an_export_is_news_once_it_is_over_and_says_which_it_was(as_alice, alice):
    task = ExportTask.objects.create(owner=alice, kind="account")
    task.announce()
    assert "Nothing yet." in as_alice.get(URL).content.decode()
    task.claim()
    task.fail("ERROR", "")
    assert re.search(
        r"<b>Your account\.</b> [^<]*could not be built", as_alice.get(URL).content.decode()
    )


def read(client, **more):
    """What the button on the page sends, and the page's script after a moment."""
    (until,) = re.findall('name="until" value="(.+?)"', client.get(URL).content.decode())
    return lambda: client.post("/notifications/read/", {"until": until}, **more)


def test_looking_marks_nothing_and_the_button_marks_all(as_alice, alice, followed):
    mark = read(as_alice)
    assert alice.notifications.unread().count() == 1
    assert mark().url == URL
    assert alice.notifications.unread().count() == 0
    assert read(as_alice, headers={"X-Fragment": "true"})().status_code == 204


def test_what_came_after_the_page_stays_unread(as_alice, alice, bob, followed):
    mark = read(as_alice)
    alice.notifications.put(alice.pk, "mention:7", {"name": "bob", "post": 7}, actor=bob)
    alice.notifications.filter(name="mention:7").update(
        updated_at=timezone.now() + timedelta(seconds=1)
    )
    mark()
    assert [row.name for row in alice.notifications.unread()] == ["mention:7"]


@pytest.mark.parametrize("until", ["yesterday", "2026-11-23T10:00:00", "9999-12-31T23:59:59-12:00"])
def test_a_bad_moment_is_a_404_and_marks_nothing(as_alice, alice, followed, until):
    assert as_alice.post("/notifications/read/", {"until": until}).status_code == 404
    assert alice.notifications.unread().count() == 1


def test_a_post_that_staff_hid_is_news_to_its_author_alone(as_alice, alice, bob):
    for author in (alice, bob):
        post = baker.make(Post, author=author, hidden_at=timezone.now())
        alice.notifications.put(
            alice.pk, f"mention:{post.pk}", {"name": author.username, "post": post.pk}, post=post
        )
    page = as_alice.get(URL).content.decode()
    assert "alice mentioned you" in page
    assert "bob mentioned you" not in page
    assert as_alice.get("/notifications/").json()["unread"]["notifications"] == 1


def test_there_is_a_button_where_anything_is_unread(as_alice, alice, followed):
    assert "data-read>" in as_alice.get(URL).content.decode()
    read(as_alice)()
    assert "data-read hidden>" in as_alice.get(URL).content.decode()


def test_the_number_of_unread_ones_stands_in_the_navigation(as_alice, alice, followed):
    assert "<span data-count>1</span>" in as_alice.get("/explore/").content.decode()
    read(as_alice)()
    assert "<span data-count>1</span>" not in as_alice.get("/explore/").content.decode()


@pytest.mark.parametrize("why", ["blocked", "muted", "closed"])
def test_what_unwanted_people_did_is_no_news(as_alice, alice, bob, followed, why):
    if why == "blocked":
        Block.objects.put(alice, bob)
    elif why == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    else:
        bob.is_active = False
        bob.save()
    assert "bob follows you" not in as_alice.get(URL).content.decode()
    assert as_alice.get("/notifications/").json()["unread"]["notifications"] == 0


@pytest.mark.parametrize("number", [0, 45])
def test_it_is_paged_by_key_at_a_fixed_number_of_queries(
    as_alice, alice, make_user, django_assert_num_queries, number
):
    for place in range(number):
        actor = make_user(f"p{place}")
        alice.notifications.put(
            alice.pk, f"follow:{actor.pk}", {"name": actor.username}, actor=actor
        )
    as_alice.get(URL)
    with django_assert_num_queries(5):  # session, person, news, two of the exports' bars
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


def test_the_pages_are_read_from_their_index(alice, followed):
    if connection.vendor == "postgresql":
        with (
            connection.cursor() as cursor
        ):  # few are told of anything here: reading it all is as good
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
            )
    rows = alice.notifications.news().visible_to(alice).select_related("actor")
    plan = rows_after(rows, f"{2**50}-1", by="updated_at")[:21].explain()
    assert "blog_notification_recent" in plan
    assert "Seq Scan" not in plan
    assert not re.search(r"\bSORT\b|TEMP B-TREE|SCAN blog_notification", plan, re.IGNORECASE)


def test_a_bad_cursor_is_a_404(as_alice):
    assert as_alice.get(URL, {"before": "x"}).status_code == 404


def test_strangers_sign_in_first(client, followed):
    assert client.get(URL).url.startswith("/accounts/login/")
    assert client.post("/notifications/read/").url.startswith("/accounts/login/")
    assert Notification.objects.unread().count() == 1


def test_wrong_methods(as_alice):
    assert as_alice.post(URL).status_code == 405
    assert as_alice.get("/notifications/read/").status_code == 405
