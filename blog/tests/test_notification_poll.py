from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from blog import notifications
from blog.formatting import isoformat_utc
from blog.models import Notification

pytestmark = pytest.mark.django_db
URL = "/notifications/"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def greeting(monkeypatch):
    """Register a renderer for the notifications of these tests."""
    monkeypatch.setitem(
        notifications._renderers, "greeting", lambda payload: {"text": f"Hello {payload['name']}"}
    )


@pytest.fixture
def poll(client, alice):
    client.force_login(alice)
    return lambda **query: client.get(URL, query)


def notify(user, name="greeting:one", at=NOW):
    Notification.objects.upsert(user.pk, name, {"name": user.username})
    Notification.objects.filter(user=user, name=name).update(updated_at=at)


def names(response):
    return [item["name"] for item in response.json()["notifications"]]


def test_poll_without_since_returns_everything(poll, alice):
    notify(alice)
    assert poll().json() == {
        "since": "2026-11-23T10:00:00Z",
        "unread": {"messages": 0, "notifications": 1},
        "notifications": [
            {
                "name": "greeting:one",
                "read": False,
                "updated_at": "2026-11-23T10:00:00Z",
                "data": {"text": "Hello alice"},
            }
        ],
    }


def test_poll_returns_changes_with_two_seconds_overlap(poll, alice):
    notify(alice, "greeting:old", NOW - timedelta(seconds=2, milliseconds=1))
    notify(alice, "greeting:overlap", NOW - timedelta(seconds=2))
    notify(alice, "greeting:new", NOW + timedelta(seconds=1))
    response = poll(since="2026-11-23T10:00:00Z")
    assert names(response) == ["greeting:overlap", "greeting:new"]
    assert response.json()["since"] == "2026-11-23T10:00:01Z"


def test_poll_since_never_goes_back(poll, alice):
    notify(alice, at=NOW - timedelta(seconds=1))
    assert poll(since="2026-11-23T11:00:00+01:00").json()["since"] == "2026-11-23T10:00:00Z"


def test_returned_since_finds_same_notification_again(poll, alice):
    notify(alice, at=NOW + timedelta(microseconds=123456))
    assert names(poll(since=poll().json()["since"])) == ["greeting:one"]


def test_poll_excludes_notifications_of_other_users(poll, bob):
    notify(bob)
    assert names(poll()) == []


def test_poll_skips_notifications_without_renderer(poll, alice):
    notify(alice, "mystery:one")
    response = poll()
    assert names(response) == []
    assert response.json()["since"] == "2026-11-23T10:00:00Z"


@pytest.mark.parametrize(
    "since",
    [
        "yesterday",
        "2026-11-23",
        "2026-11-23T10:00:00",
        "2026-13-40T10:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
        "\0",
        "１",
    ],
)
def test_poll_rejects_bad_since(poll, since):
    response = poll(since=since)
    assert response.status_code == 400
    assert "since" in response.json()["error"]


def test_poll_accepts_since_before_epoch(poll, alice):
    notify(alice)
    assert names(poll(since="0001-01-01T00:00:00Z")) == ["greeting:one"]


def test_anonymous_poll_is_refused_as_json(client):
    response = client.get(URL)
    assert response.status_code == 401
    assert response.json() == {"error": "Please sign in."}


def test_poll_response_is_not_stored(poll):
    assert "no-store" in poll()["Cache-Control"]


def test_poll_marks_read_notifications(poll, alice):
    notify(alice)
    Notification.objects.update(read_at=timezone.now())
    assert poll().json()["notifications"][0]["read"] is True


def test_poll_uses_language_of_user(client, alice):
    alice.language = "es"
    alice.save()
    client.force_login(alice)
    assert client.get(URL)["Content-Language"] == "es"


def test_poll_rejects_post(poll, client):
    assert client.post(URL).status_code == 405


def test_poll_counts_unread_without_new_notifications(poll, alice):
    notify(alice)
    answer = poll(since="2026-11-23T11:00:00Z").json()
    assert answer["notifications"] == []
    assert answer["unread"] == {"messages": 0, "notifications": 1}


@pytest.fixture
def flood(alice, bob):
    """Return a function that creates rows of alice that bob caused, one each second."""

    def create(number, start=NOW):
        Notification.objects.bulk_create(
            Notification(
                user=alice,
                name=f"greeting:{place}",
                payload={"name": "bob"},
                actor=bob,
                updated_at=start + timedelta(seconds=place),
            )
            for place in range(number)
        )

    return create


def test_poll_of_many_rows_returns_newest_fifty(poll, alice, flood):
    flood(5000)
    response = poll()
    assert names(response) == [f"greeting:{place}" for place in range(4950, 5000)]
    assert len(response.content) < 20_000
    newest = NOW + timedelta(seconds=4999)
    assert response.json()["since"] == isoformat_utc(newest)
    assert len(names(poll(since=response.json()["since"]))) == 3  # those of the overlap


def test_flood_by_others_hides_no_progress(poll, alice, flood):
    for place in range(60):
        notify(alice, f"greeting:own-{place}", NOW - timedelta(seconds=60 - place))
    flood(200)
    found = names(poll())
    assert found[:50] == [f"greeting:own-{place}" for place in range(10, 60)]
    assert found[50:] == [f"greeting:{place}" for place in range(150, 200)]


def test_new_notification_prunes_oldest_of_others(alice, bob, flood, monkeypatch):
    monkeypatch.setattr("blog.models.notification.MAX_FROM_OTHERS", 20)
    monkeypatch.setattr("blog.models.notification.PRUNE_BATCH_SIZE", 30)
    notify(alice, "greeting:own", NOW - timedelta(days=300))
    flood(60, start=timezone.now() - timedelta(days=1))
    Notification.objects.create_once(alice.pk, "greeting:new", {"name": "bob"}, actor=bob)
    assert alice.notifications.count() == 1 + 61 - 30
    assert not Notification.objects.create_once(alice.pk, "greeting:new", {}, actor=bob)
    assert alice.notifications.count() == 1 + 61 - 30
    Notification.objects.upsert(alice.pk, "greeting:newest", {"name": "bob"}, actor=bob)
    left = list(alice.notifications.order_by("updated_at").values_list("name", flat=True))
    kept = [f"greeting:{place}" for place in range(42, 60)]
    assert left == ["greeting:own", *kept, "greeting:new", "greeting:newest"]


def test_pruning_spares_rows_of_other_users(alice, bob, flood, monkeypatch):
    monkeypatch.setattr("blog.models.notification.MAX_FROM_OTHERS", 0)
    flood(5, start=timezone.now())
    Notification.objects.create_once(bob.pk, "greeting:new", {"name": "alice"}, actor=alice)
    assert (alice.notifications.count(), bob.notifications.count()) == (5, 0)


def test_progress_prunes_nothing(alice, flood, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("blog.models.notification.MAX_FROM_OTHERS", 0)
    flood(5)
    with django_assert_num_queries(1):
        Notification.objects.upsert(alice.pk, "greeting:own", {"name": "alice"}, is_listed=False)
    assert alice.notifications.count() == 6


@pytest.mark.parametrize("number", [0, 12])
def test_poll_makes_three_queries_and_writes_nothing(
    poll, alice, django_assert_num_queries, number
):
    for place in range(number):
        notify(alice, f"greeting:{place}")
    with django_assert_num_queries(3) as queries:  # session, user, notifications
        poll()
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
