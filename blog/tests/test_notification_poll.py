from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from blog import notifications
from blog.models import Notification

pytestmark = pytest.mark.django_db
URL = "/notifications/"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def greeting(monkeypatch):
    """Words for a kind of notification of our own."""
    monkeypatch.setitem(
        notifications._renderers, "greeting", lambda facts: {"text": f"Hello {facts['name']}"}
    )


@pytest.fixture
def ask(client, alice):
    client.force_login(alice)
    return lambda **query: client.get(URL, query)


def tell(user, name="greeting:one", at=NOW):
    Notification.objects.upsert(user.pk, name, {"name": user.username})
    Notification.objects.filter(user=user, name=name).update(updated_at=at)


def names(response):
    return [item["name"] for item in response.json()["notifications"]]


def test_without_since_it_tells_everything(ask, alice):
    tell(alice)
    assert ask().json() == {
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


def test_it_tells_what_changed_since_with_two_seconds_of_overlap(ask, alice):
    tell(alice, "greeting:old", NOW - timedelta(seconds=2, milliseconds=1))
    tell(alice, "greeting:overlap", NOW - timedelta(seconds=2))
    tell(alice, "greeting:new", NOW + timedelta(seconds=1))
    response = ask(since="2026-11-23T10:00:00Z")
    assert names(response) == ["greeting:overlap", "greeting:new"]
    assert response.json()["since"] == "2026-11-23T10:00:01Z"


def test_since_never_goes_back(ask, alice):
    tell(alice, at=NOW - timedelta(seconds=1))
    assert ask(since="2026-11-23T11:00:00+01:00").json()["since"] == "2026-11-23T10:00:00Z"


def test_the_answer_can_be_asked_with(ask, alice):
    tell(alice, at=NOW + timedelta(microseconds=123456))
    assert names(ask(since=ask().json()["since"])) == ["greeting:one"]


def test_what_others_are_told_stays_with_them(ask, bob):
    tell(bob)
    assert names(ask()) == []


def test_what_nobody_has_words_for_is_left_out(ask, alice):
    tell(alice, "mystery:one")
    response = ask()
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
def test_a_bad_since_is_refused_with_a_reason(ask, since):
    response = ask(since=since)
    assert response.status_code == 400
    assert "since" in response.json()["error"]


def test_a_since_before_everything_is_everything(ask, alice):
    tell(alice)
    assert names(ask(since="0001-01-01T00:00:00Z")) == ["greeting:one"]


def test_a_visitor_is_refused_in_json(client):
    response = client.get(URL)
    assert response.status_code == 401
    assert response.json() == {"error": "Please sign in."}


def test_it_is_never_stored(ask):
    assert "no-store" in ask()["Cache-Control"]


def test_it_says_what_has_been_read(ask, alice):
    tell(alice)
    Notification.objects.update(read_at=timezone.now())
    assert ask().json()["notifications"][0]["read"] is True


def test_it_speaks_the_language_of_the_person(client, alice):
    alice.language = "es"
    alice.save()
    client.force_login(alice)
    assert client.get(URL)["Content-Language"] == "es"


def test_it_cannot_be_posted_to(ask, client):
    assert client.post(URL).status_code == 405


def test_unread_ones_are_counted_although_nothing_is_new(ask, alice):
    tell(alice)
    answer = ask(since="2026-11-23T11:00:00Z").json()
    assert answer["notifications"] == []
    assert answer["unread"] == {"messages": 0, "notifications": 1}


@pytest.mark.parametrize("number", [0, 12])
def test_it_takes_three_queries_and_writes_nothing(ask, alice, django_assert_num_queries, number):
    for place in range(number):
        tell(alice, f"greeting:{place}")
    with django_assert_num_queries(3) as queries:  # session, person, and all there is to tell
        ask()
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
