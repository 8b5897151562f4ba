"""Unsent text of an expired session: kept in the sign-in form, then in the session."""

import html
import json
import re
from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session

from blog import drafts
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def hidden_draft(page):
    return html.unescape(re.findall(r'name="draft" value="([^"]*)"', page.content.decode())[0])


def sign_in(client, page, **data):
    """Submit the sign-in form that the page shows, with its draft."""
    assert page.status_code == 401
    assert "no-store" in page["Cache-Control"]
    assert "We've kept what you wrote." in page.content.decode()
    data |= {"login": "alice", "password": PASSWORD, "draft": hidden_draft(page)}
    return client.post("/accounts/login/", data)


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("/settings/profile/", {"about_me": 'I & my "boat"'}, "I &amp; my &quot;boat&quot;"),
        ("/messages/@bob/", {"body": "shall we\nmeet?"}, "shall we\nmeet?</textarea>"),
        ("/@bob/report/", {"comment": "He sells 🚤"}, "He sells 🚤</textarea>"),
    ],
)
def test_text_of_every_form_survives_sign_in(client, alice, bob, path, data, expected):
    assert sign_in(client, client.post(path, data), next=path).url == path
    assert expected in client.get(path).content.decode()
    assert expected not in client.get(path).content.decode()


def test_draft_survives_wrong_password(client, alice):
    page = client.post("/posts/", {"body": "hello"})
    wrong = {"login": "alice", "password": "wrong", "draft": hidden_draft(page)}
    again = client.post("/accounts/login/", wrong)
    assert hidden_draft(again) == hidden_draft(page)


@pytest.mark.parametrize("path", ["/posts/", "/messages/@bob/", "/settings/profile/"])
def test_visitors_store_nothing(client, bob, path):
    data = {"body": "x" * 100_000, "about_me": "x" * 100_000}
    page = client.post(path, data)
    assert len(hidden_draft(page)) < drafts.MAX_FIELD_LENGTH + 100
    client.post("/accounts/login/", {"login": "bob", "password": "x", "draft": hidden_draft(page)})
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "{",
        "[]",
        "null",
        "1e999",
        "[" * 100_000,
        json.dumps({"path": 1, "typed": {}}),
        json.dumps({"path": "/posts/", "typed": ["body"]}),
        json.dumps({"path": "/posts/", "typed": {"body": 1}}),
        json.dumps({"path": "/posts/", "typed": {"body": {"a": "b"}}}),
    ],
)
def test_forged_drafts_are_ignored(client, alice, encoded):
    data = {"login": "alice", "password": PASSWORD, "draft": encoded}
    assert client.post("/accounts/login/", data).status_code == 302
    assert "draft" not in client.session


def test_forged_draft_is_limited(client, alice):
    typed = {f"field{n}": "x" * 50_000 for n in range(3)} | {"more": "y"}
    data = {"draft": json.dumps({"path": "/" * 9000, "typed": typed})}
    client.post("/accounts/login/", data | {"login": "alice", "password": PASSWORD})
    assert len(json.dumps(client.session["draft"])) < 3 * drafts.MAX_FIELD_LENGTH + 500


def test_draft_expires(client, alice, monkeypatch):
    sign_in(client, client.post("/posts/", {"body": "hello"}))
    until = client.session["draft"]["until"]
    monkeypatch.setattr(drafts, "time", SimpleNamespace(time=lambda: until + 1))
    assert "hello</textarea>" not in client.get("/").content.decode()
    assert "draft" not in client.session
