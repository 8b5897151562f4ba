from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def seen(client, user, last_seen_at, path="/"):
    user.last_seen_at = last_seen_at
    user.save()
    client.force_login(user)
    client.get(path)
    user.refresh_from_db()
    return user.last_seen_at


def test_a_first_visit_is_noted(client, alice):
    assert timezone.now() - seen(client, alice, None) < timedelta(seconds=30)


def test_a_visit_after_a_minute_is_noted(client, alice):
    then = timezone.now() - timedelta(minutes=1, seconds=1)
    assert seen(client, alice, then) > then


def test_a_visit_within_the_minute_is_not(client, alice):
    then = timezone.now() - timedelta(seconds=30)
    assert seen(client, alice, then) == then


def test_within_the_minute_nothing_is_written(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    with django_assert_num_queries(5) as queries:
        client.get("/")
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_a_page_that_polls_is_no_visit(client, alice):
    assert seen(client, alice, None, "/notifications/") is None


def test_a_visitor_leaves_no_trace(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/")


def test_the_site_speaks_the_language_of_the_person(client, alice):
    alice.language = "es"
    alice.save()
    client.force_login(alice)
    assert (
        '<html lang="es"'
        in client.get("/", headers={"accept-language": "zh-hans"}).content.decode()
    )


@pytest.mark.parametrize("language", ["", "xx"])
def test_without_a_known_language_the_browser_decides(client, alice, language):
    alice.language = language
    alice.save()
    client.force_login(alice)
    assert '<html lang="es"' in client.get("/", headers={"accept-language": "es"}).content.decode()


def test_one_persons_language_does_not_stay_for_the_next(client, alice):
    alice.language = "es"
    alice.save()
    client.force_login(alice)
    client.get("/")
    client.logout()
    assert '<html lang="en"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("own", "browser", "zone"),
    [
        ("Asia/Tokyo", "Europe/Madrid", "JST"),
        ("", "Europe/Madrid", "CET"),
        ("", "Asia%2FTokyo", "JST"),
        ("", "", "UTC"),
        ("", "../etc/passwd", "UTC"),
        ("Gone/Zone", "", "UTC"),
    ],
)
def test_times_are_those_of_the_person_else_of_the_browser(client, alice, own, browser, zone):
    User.objects.update(time_zone=own)
    baker.make(Post, author=alice, created_at=datetime(2026, 1, 2, 15, 4, tzinfo=UTC))
    client.force_login(alice)
    client.cookies["zone"] = browser
    assert f' {zone}"' in client.get("/@alice/").content.decode()
    assert timezone.get_current_timezone_name() == "UTC"
