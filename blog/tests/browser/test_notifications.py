import pytest
from model_bakery import baker

from blog.models import Follow, Notification, Post
from blog.notifications import notify_mention

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_page_marks_only_shown_notifications_as_read(page, site, alice, bob, make_user):
    Follow.objects.follow(bob, alice)
    page.goto(f"{site}/notifications/all/")
    Follow.objects.follow(make_user("carol"), alice)
    with (
        page.expect_response("**/notifications/read/"),
        page.expect_response("**/notifications/?*") as answer,
    ):
        pass
    assert answer.value.json()["unread"]["notifications"] == 1
    assert [row.actor.username for row in alice.notifications.unread()] == ["carol"]
    badge = page.locator("[data-badge=notifications]")
    assert badge.inner_text().split() == ["1", "unread"]
    page.reload()
    badge.wait_for(state="hidden")
    assert not alice.notifications.unread().exists()


def test_followers_are_grouped_and_mentions_have_excerpts(page, site, alice, bob, make_user):
    Follow.objects.follow(bob, alice)
    for text in ("@alice have you seen the boats?", "the harbour, @alice " + "and more " * 25):
        notify_mention(baker.make(Post, author=bob, body=text))
    for name in ("carol", "dora", "emil"):
        Follow.objects.follow(make_user(name), alice)
    page.goto(f"{site}/notifications/all/")
    lines = page.locator(".notification")
    assert [line.inner_text() for line in lines.locator(".notification-text").all()] == [
        "emil and 2 others follow you now",
        "bob mentioned you",
        "bob mentioned you",
        "bob follows you now",
    ]
    assert lines.nth(0).locator(".avatar").count() == 3
    assert [text[:15] for text in lines.locator(".excerpt").all_inner_texts()] == [
        "the harbour, @a",
        "@alice have you",
    ]
    assert all(line.bounding_box()["height"] < 200 for line in lines.all())
    lines.nth(0).click()
    page.wait_for_url("**/@alice/followers/")


def test_each_kind_of_notification_has_own_icon(page, site, alice, bob, send_message):
    Follow.objects.follow(bob, alice)
    notify_mention(baker.make(Post, author=bob, body="@alice"))
    send_message(bob, alice)
    post = baker.make(Post, author=alice)
    payloads = {
        "hidden": {"post": post.pk, "is_hidden": True, "reason": "Advertising"},
        "report": {"report": 1, "outcome": "DISMISSED"},
    }
    for kind, payload in payloads.items():
        Notification.objects.upsert(alice.pk, f"{kind}:1", payload)
    page.goto(f"{site}/notifications/all/")
    icons = page.locator(".notification > .icon")
    drawings = icons.evaluate_all("icons => icons.map((icon) => icon.innerHTML.trim())")
    assert all(drawings)
    assert len(drawings) == 5
    assert len(set(drawings)) == 4  # what staff decide has one icon


def test_unread_marker_is_calm_and_has_words(page, site, alice, bob):
    Follow.objects.follow(bob, alice)
    notify_mention(baker.make(Post, author=bob, body="@alice"))
    alice.notifications.filter(name__startswith="mention").mark_read()
    page.goto(f"{site}/notifications/all/")
    lines = page.locator(".notification")
    backgrounds = lines.evaluate_all(
        "lines => lines.map((line) => getComputedStyle(line).backgroundColor)"
    )
    assert len(set(backgrounds)) == 1
    decorations = lines.locator("a").evaluate_all(
        "links => links.map((link) => getComputedStyle(link).textDecorationLine)"
    )
    assert set(decorations) == {"none"}
    assert page.locator(".notification-marker").all_inner_texts() == ["new"]
