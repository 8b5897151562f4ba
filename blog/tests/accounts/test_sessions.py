"""Expiry, list and end of sessions."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from blog.accounts import sessions
from blog.accounts.session_store import hash_secret
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
    page = client.post("/posts/", {"body": "hello"})
    assert page.status_code == 401
    data = {"login": "alice", "password": PASSWORD, "draft": page.context["form"].initial["draft"]}
    client.post("/accounts/login/", data)
    assert "hello</textarea>" in client.get("/").content.decode()


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
    assert page.count("This session") == 1


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


def session_cookie(client):
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def stored_values(clients):
    """Return every text in the tables of sessions, and the keys in their columns."""
    rows = [*Session.objects.values_list(), *UserSession.objects.values_list()]
    assert len(rows) == 6
    return [str(value) for row in rows for value in row]


def test_stored_values_do_not_open_sessions(clients, stored_values):
    for client in clients:
        assert is_signed_in(client)
        assert not any(session_cookie(client) in value for value in stored_values)
    thief = type(clients[0])()
    for value in stored_values:
        thief.cookies[settings.SESSION_COOKIE_NAME] = value
        assert thief.get("/settings/").status_code == 302


def test_session_of_older_version_does_not_open(client, alice):
    """Its row has the cookie's value for its key, which is in backups."""
    client.force_login(alice)
    row = Session.objects.get()
    Session.objects.create(
        session_key="k" * 32, session_data=row.session_data, expire_date=row.expire_date
    )
    client.cookies[settings.SESSION_COOKIE_NAME] = "k" * 32
    assert not is_signed_in(client)


def test_sign_in_changes_secret_and_key(client, alice):
    client.session.save()  # a visitor has a session after a message, for example
    before = session_cookie(client), client.session.session_key
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert not set(before) & {session_cookie(client), client.session.session_key}
    assert not Session.objects.filter(pk=before[1]).exists()
    assert client.session.session_key == UserSession.objects.get().session_key


@pytest.mark.parametrize("value", ["chosen-by-the-attacker-of-a-visitor", "x" * 9000, "é", ""])
def test_secret_chosen_by_client_is_not_used(client, alice, value):
    client.cookies[settings.SESSION_COOKIE_NAME] = value
    client.post("/posts/", {"body": "a draft"})
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert is_signed_in(client)
    assert len(session_cookie(client)) == 32
    assert session_cookie(client) != value


def test_signed_out_cookie_opens_nothing(client, alice):
    client.force_login(alice)
    secret = session_cookie(client)
    client.post("/accounts/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = secret
    assert not is_signed_in(client)
    assert not Session.objects.filter(pk=hash_secret(secret)).exists()
