"""Expiry, list and end of sessions."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.utils import timezone

from blog.accounts import sessions
from blog.models import last_use
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DAY = 86_400


@pytest.fixture
def advance_clock(monkeypatch):
    """Return a function that moves the clock of the session limits forward."""
    offset = [0.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: time.time() + offset[0]))
    clock = SimpleNamespace(now=lambda: timezone.now() + timedelta(seconds=offset[0]))
    monkeypatch.setattr(last_use, "timezone", clock)

    def move(seconds):
        offset[0] += seconds

    return move


@pytest.fixture(params=[False, True], ids=["not-remembered", "remembered"])
def remembered(request, client, alice):
    client.post(
        "/accounts/login/",
        {"login": "alice", "password": PASSWORD, "remember": "on" if request.param else ""},
    )
    return request.param


def is_signed_in(client):
    return client.get("/settings/").status_code == 200


def test_idle_session_ends_unless_remembered(client, remembered, advance_clock):
    advance_clock(settings.SESSION_IDLE_SECONDS - 60)
    assert is_signed_in(client)
    advance_clock(settings.SESSION_IDLE_SECONDS + 60)
    assert is_signed_in(client) is remembered


def test_remembered_session_ends_after_idle_month(client, remembered, advance_clock):
    advance_clock(30 * DAY + 60)
    assert not is_signed_in(client)


@pytest.mark.parametrize("remembered", [True], indirect=True)
def test_active_session_ends_after_maximum_age(client, remembered, advance_clock):
    for _ in range(3):
        advance_clock(29 * DAY)
        assert is_signed_in(client)
    advance_clock(4 * DAY)
    assert not is_signed_in(client)


def test_last_use_of_session_is_recorded(client, alice, remembered, advance_clock):
    start = timezone.now()
    alice.usersession_set.update(last_seen_at=start)
    client.get("/settings/")
    assert alice.usersession_set.get().last_seen_at == start
    advance_clock(last_use.TOUCH_INTERVAL.total_seconds() + 5)
    client.get("/settings/")
    assert alice.usersession_set.get().last_seen_at > start


def test_polling_does_not_extend_session(client, remembered, advance_clock):
    for _ in range(2):
        advance_clock(settings.SESSION_IDLE_SECONDS - 60)
        response = client.get("/notifications/")
    assert response.status_code == (200 if remembered else 401)


def test_session_is_touched_once_a_minute(client, remembered, advance_clock):
    client.get("/settings/")
    last_used_at = client.session[sessions.LAST_USED_AT_KEY]
    advance_clock(30)
    client.get("/settings/")
    assert client.session[sessions.LAST_USED_AT_KEY] == last_used_at
    advance_clock(35)
    response = client.get("/settings/")
    assert client.session[sessions.LAST_USED_AT_KEY] > last_used_at
    assert bool(response.cookies["sessionid"]["max-age"]) is remembered


def test_draft_survives_end_of_session(client, remembered, advance_clock):
    advance_clock(91 * DAY)
    assert client.post("/posts/", {"body": "hello"}).url == "/accounts/login/"
    assert client.session["draft"]["typed"]["body"] == "hello"


@pytest.fixture
def clients(client, alice, bob):
    """Return two clients with sessions of alice, and one of bob."""
    other, stranger = type(client)(), type(client)()
    for session_client, login in ((client, "alice"), (other, "alice"), (stranger, "bob")):
        session_client.post(
            "/accounts/login/",
            {"login": login, "password": PASSWORD},
            headers={"user-agent": "Firefox/1"},
        )
    return client, other, stranger


def test_session_list_shows_own_sessions(clients):
    page = clients[0].get("/accounts/sessions/").content.decode()
    assert page.count("Firefox") == 2
    assert page.count("This one") == 1


def test_session_end_ends_one_session(clients):
    own, other, _ = clients
    session = UserSession.objects.get(session_key=other.session.session_key)
    assert own.post(f"/settings/sessions/{session.pk}/end/").url == "/accounts/sessions/"
    assert other.get("/settings/").status_code == 302
    assert own.get("/settings/").status_code == 200


def test_session_list_post_ends_other_sessions(clients):
    own, other, stranger = clients
    own.post("/accounts/sessions/")
    assert other.get("/settings/").status_code == 302
    assert own.get("/settings/").status_code == 200
    assert stranger.get("/settings/").status_code == 200


def test_session_of_other_user_is_not_found(clients):
    own, _, stranger = clients
    session = UserSession.objects.get(session_key=stranger.session.session_key)
    assert own.post(f"/settings/sessions/{session.pk}/end/").status_code == 404
    assert stranger.get("/settings/").status_code == 200


def test_current_session_ends_by_signing_out(clients):
    session = UserSession.objects.get(session_key=clients[0].session.session_key)
    assert clients[0].post(f"/settings/sessions/{session.pk}/end/").url == "/accounts/logout/"


@pytest.mark.parametrize("remember", [True, False])
def test_session_outlives_browser_only_if_remembered(client, alice, remember):
    data = {"login": "alice", "password": PASSWORD} | ({"remember": "on"} if remember else {})
    response = client.post("/accounts/login/", data)
    assert bool(response.cookies["sessionid"]["max-age"]) == remember
