"""How long somebody stays signed in."""

import time
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.utils import timezone

from blog.accounts import sessions
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DAY = 86_400


@pytest.fixture
def clock(monkeypatch):
    """Moves the clock that sessions are measured by."""
    passed = [0.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: time.time() + passed[0]))

    def move(seconds):
        passed[0] += seconds

    return move


@pytest.fixture(params=[False, True], ids=["until the browser closes", "remembered"])
def remembered(request, client, alice):
    client.post(
        "/accounts/login/",
        {"login": "alice", "password": PASSWORD, "remember": "on" if request.param else ""},
    )
    return request.param


def is_signed_in(client):
    return client.get("/settings/").status_code == 200


def test_idle_for_half_a_day_it_ends_unless_remembered(client, remembered, clock):
    clock(settings.SESSION_IDLE_SECONDS - 60)
    assert is_signed_in(client)
    clock(settings.SESSION_IDLE_SECONDS + 60)
    assert is_signed_in(client) is remembered


def test_idle_for_a_month_it_ends_also_where_remembered(client, remembered, clock):
    clock(30 * DAY + 60)
    assert not is_signed_in(client)


@pytest.mark.parametrize("remembered", [True], indirect=True)
def test_however_often_it_is_used_it_ends_after_three_months(client, remembered, clock):
    for _ in range(3):
        clock(29 * DAY)
        assert is_signed_in(client)
    clock(4 * DAY)
    assert not is_signed_in(client)


def test_it_is_noted_when_it_was_used_last(client, alice, remembered, clock):
    begun = timezone.now()
    alice.usersession_set.update(last_seen_at=begun)
    client.get("/settings/")
    assert alice.usersession_set.get().last_seen_at == begun
    clock(sessions.TOUCH_INTERVAL_SECONDS + 60)
    client.get("/settings/")
    assert alice.usersession_set.get().last_seen_at > begun


def test_a_page_that_polls_is_no_use(client, remembered, clock):
    for _ in range(2):
        clock(settings.SESSION_IDLE_SECONDS - 60)
        answer = client.get("/notifications/")
    assert answer.status_code == (200 if remembered else 401)


def test_use_is_written_down_now_and_then_only(client, remembered, clock):
    client.get("/settings/")
    used = client.session[sessions.LAST_USED_AT_KEY]
    clock(sessions.TOUCH_INTERVAL_SECONDS - 60)
    client.get("/settings/")
    assert client.session[sessions.LAST_USED_AT_KEY] == used
    clock(120)
    response = client.get("/settings/")
    assert client.session[sessions.LAST_USED_AT_KEY] > used
    assert bool(response.cookies["sessionid"]["max-age"]) is remembered


def test_what_was_being_written_when_it_ended_is_kept(client, remembered, clock):
    clock(91 * DAY)
    assert client.post("/posts/", {"body": "hello"}).url == "/accounts/login/"
    assert client.session["draft"]["typed"]["body"] == "hello"
