"""Account enumeration: responses and their timing do not reveal whether an account exists."""

import re

import pytest
from django.contrib.auth.hashers import get_hasher

from blog.tests.accounts.test_signup import SIGNUP_DATA

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def hashings(monkeypatch):
    """Record password hashings, which take almost all of a response's time."""
    calls = []
    hasher = type(get_hasher())
    encode = hasher.encode  # `verify` calls it too
    monkeypatch.setattr(hasher, "encode", lambda *args: calls.append(args) or encode(*args))
    return calls


def visible_response(response, *names):
    """Return status, redirect and page, without the CSRF token and the entered names."""
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    for name in names:
        page = page.replace(name, "NAME")
    return response.status_code, response.headers.get("Location"), page


@pytest.mark.parametrize(
    ("known", "unknown"), [("alice", "nobody"), ("alice@microblog.example", "no@microblog.example")]
)
def test_login_does_not_reveal_accounts(client, alice, hashings, known, unknown):
    responses, counts = [], []
    for name in (known, unknown):
        hashings.clear()
        response = client.post("/accounts/login/", {"login": name, "password": "wrong"})
        responses.append(visible_response(response, name))
        counts.append(len(hashings))
    assert responses[0] == responses[1]
    assert counts == [1, 1]


def test_login_does_not_reveal_closed_accounts(client, alice, bob, hashings):
    bob.is_active = False
    bob.save()
    responses = [
        visible_response(
            client.post("/accounts/login/", {"login": name, "password": "wrong"}), name
        )
        for name in ("bob", "nobody")
    ]
    assert responses[0] == responses[1]


def test_sign_up_takes_equal_time_for_known_address(alice, client, hashings, capture_mails):
    responses, counts = [], []
    for username, email in (("carol", alice.email), ("dave", "dave@microblog.example")):
        hashings.clear()
        with capture_mails():
            response = type(client)().post(
                "/accounts/signup/", SIGNUP_DATA | {"username": username, "email": email}
            )
        responses.append(visible_response(response, username, email))
        counts.append(len(hashings))
    assert responses[0] == responses[1]
    assert counts == [1, 1]


def test_password_reset_takes_equal_time_for_unknown_address(client, alice, hashings, mailoutbox):
    responses = [
        visible_response(client.post("/accounts/password/reset/", {"email": email}), email)
        for email in (alice.email, "nobody@microblog.example")
    ]
    assert responses[0] == responses[1]
    assert hashings == []
    assert mailoutbox == []  # sent by a worker: the mail server's time would reveal the account
