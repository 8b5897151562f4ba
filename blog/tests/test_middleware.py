from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def last_seen_after_visit(client, user, last_seen_at, path="/"):
    user.last_seen_at = last_seen_at
    user.save()
    client.force_login(user)
    client.get(path)
    user.refresh_from_db()
    return user.last_seen_at


def test_first_visit_sets_last_seen(client, alice):
    assert timezone.now() - last_seen_after_visit(client, alice, None) < timedelta(seconds=30)


def test_visit_after_a_minute_updates_last_seen(client, alice):
    before = timezone.now() - timedelta(minutes=1, seconds=1)
    assert last_seen_after_visit(client, alice, before) > before


def test_visit_within_a_minute_keeps_last_seen(client, alice):
    before = timezone.now() - timedelta(seconds=30)
    assert last_seen_after_visit(client, alice, before) == before


def test_visit_within_a_minute_writes_nothing(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    with django_assert_num_queries(6) as queries:
        client.get("/")
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_polling_does_not_update_last_seen(client, alice):
    assert last_seen_after_visit(client, alice, None, "/notifications/") is None


def test_middleware_takes_no_query_for_visitors(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/")


def test_users_language_overrides_browser(client, alice):
    alice.language = "es"
    alice.save()
    client.force_login(alice)
    assert (
        '<html lang="es"'
        in client.get("/", headers={"accept-language": "zh-hans"}).content.decode()
    )


@pytest.mark.parametrize("language", ["", "xx"])
def test_browser_language_applies_without_users_choice(client, alice, language):
    alice.language = language
    alice.save()
    client.force_login(alice)
    assert '<html lang="es"' in client.get("/", headers={"accept-language": "es"}).content.decode()


def test_language_is_reset_after_request(client, alice):
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
def test_users_time_zone_overrides_browser(client, alice, own, browser, zone):
    User.objects.update(time_zone=own)
    baker.make(Post, author=alice, created_at=datetime(2026, 1, 2, 15, 4, tzinfo=UTC))
    client.force_login(alice)
    client.cookies["zone"] = browser
    assert f' {zone}"' in client.get("/@alice/").content.decode()
    assert timezone.get_current_timezone_name() == "UTC"
