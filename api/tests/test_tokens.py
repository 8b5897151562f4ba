"""Tokens: made, shown once, told of by mail, and dead when they should be."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from blog.models import ApiToken
from blog.models import api_token as token
from conftest import PASSWORD

pytestmark = pytest.mark.django_db

TOKENS = "/settings/tokens/"
PROFILE = "/api/v1/profile/"


def make(browser, **typed):
    return browser.post(f"{TOKENS}new/", {"name": "Laptop"} | typed)


def show(browser, **typed):
    """The page that a new token is on."""
    assert make(browser, **typed).url == f"{TOKENS}made/"
    return browser.get(f"{TOKENS}made/")


def secret_in(page):
    return re.findall(r"mb_[\w-]{43}", page.content.decode())[0]


def test_a_token_is_made_and_works(reauthenticated_client, client, alice):
    page = show(reauthenticated_client)
    assert "no-store" in page["Cache-Control"]
    answer = type(client)().get(PROFILE, headers={"authorization": f"Bearer {secret_in(page)}"})
    assert answer.json()["username"] == "alice"


def test_the_settings_lead_there(reauthenticated_client):
    assert f'href="{TOKENS}"' in reauthenticated_client.get("/settings/").content.decode()


def test_it_is_shown_once_and_kept_as_a_digest(reauthenticated_client, alice):
    secret = secret_in(show(reauthenticated_client))
    listed = reauthenticated_client.get(TOKENS).content.decode()
    assert "Laptop" in listed
    assert secret not in listed
    row = ApiToken.objects.filter(owner=alice).values().get()
    assert secret not in str(row)
    assert len(row["digest"]) == 64


def test_a_page_that_is_loaded_again_makes_no_other_and_shows_it_no_more(
    reauthenticated_client, alice
):
    make(reauthenticated_client)
    kept = str(dict(reauthenticated_client.session))
    assert (
        secret_in(reauthenticated_client.get(f"{TOKENS}made/")) not in kept
    )  # nor does a copy of the database
    assert reauthenticated_client.get(f"{TOKENS}made/").url == TOKENS
    assert alice.api_tokens.count() == 1


def test_a_token_that_was_revoked_meanwhile_is_not_shown(reauthenticated_client, alice):
    make(reauthenticated_client)
    alice.api_tokens.all().delete()
    assert reauthenticated_client.get(f"{TOKENS}made/").url == TOKENS


@pytest.mark.parametrize(
    ("typed", "words"), [({"is_read_only": "on"}, "change nothing"), ({}, "in your name")]
)
def test_the_page_says_what_it_may(reauthenticated_client, typed, words):
    assert f"can {words}" in show(reauthenticated_client, **typed).content.decode().replace(
        "can read and write", "can"
    )


def test_the_owner_is_told_by_mail(reauthenticated_client, alice, capture_mails):
    with capture_mails() as mails:
        secret = secret_in(show(reauthenticated_client, is_read_only="on"))
    (mail,) = mails
    assert mail.to == ["alice@microblog.example"]
    assert "A new API token" in mail.subject
    assert "“Laptop”" in mail.body
    assert "can read what you can read" in mail.body
    assert secret not in mail.body


def test_the_password_is_asked_for_again(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": 0, "username": "alice"}
    ]
    session.save()
    assert client.get(f"{TOKENS}new/").url.startswith("/accounts/reauthenticate/")
    assert make(client).url.startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0b"])
def test_a_bad_name_is_refused(reauthenticated_client, name):
    assert make(reauthenticated_client, name=name).status_code == 422
    assert not ApiToken.objects.exists()


def test_there_are_only_so_many(reauthenticated_client, alice, monkeypatch):
    monkeypatch.setattr(token, "MOST_TOKENS", 2)
    assert [make(reauthenticated_client).status_code for _ in range(3)] == [302, 302, 422]
    assert alice.api_tokens.count() == 2


def test_a_revoked_token_is_dead(reauthenticated_client, alice, api_client):
    assert api_client.get(PROFILE).status_code == 200
    assert reauthenticated_client.post(f"{TOKENS}{alice.api_tokens.get().pk}/revoke/").url == TOKENS
    assert api_client.get(PROFILE).status_code == 401


def test_nobody_revokes_what_is_not_theirs(reauthenticated_client, bob, make_api_client):
    his = make_api_client(bob)
    assert (
        reauthenticated_client.post(f"{TOKENS}{bob.api_tokens.get().pk}/revoke/").status_code == 404
    )
    assert his.get(PROFILE).status_code == 200


def test_a_new_password_ends_all_tokens(reauthenticated_client, alice, api_client, make_api_client):
    alice.set_password("another walk")
    alice.save()
    assert api_client.get(PROFILE).status_code == 401
    assert make_api_client(alice).get(PROFILE).status_code == 200
    assert alice.api_tokens.count() == 1  # the dead one has made room


def test_a_closed_account_has_no_tokens_that_count(alice, api_client):
    alice.is_active = False
    alice.save()
    assert api_client.get(PROFILE).status_code == 401


def test_a_deleted_account_takes_its_tokens_along(alice, api_client):
    alice.delete()
    assert api_client.get(PROFILE).status_code == 401


def test_its_use_is_noted_once_a_minute(alice, api_client, django_assert_num_queries):
    with django_assert_num_queries(3):
        api_client.get(PROFILE)
    first = alice.api_tokens.get().last_used_at
    with django_assert_num_queries(2):
        api_client.get(PROFILE)
    assert alice.api_tokens.get().last_used_at == first
    alice.api_tokens.update(last_used_at=timezone.now() - timedelta(seconds=61))
    api_client.get(PROFILE)
    assert alice.api_tokens.get().last_used_at >= first


def test_a_program_at_work_is_not_the_person_being_here(alice, api_client):
    api_client.get(PROFILE)
    alice.refresh_from_db()
    assert alice.last_seen_at is None


@pytest.mark.parametrize(
    ("path", "wrong"), [("", "post"), ("new/", "put"), ("made/", "post"), ("1/revoke/", "get")]
)
def test_pages_refuse_the_wrong_method_and_visitors(client, reauthenticated_client, path, wrong):
    assert getattr(reauthenticated_client, wrong)(TOKENS + path).status_code == 405
    right = "post" if path.endswith("revoke/") else "get"
    assert getattr(type(client)(), right)(TOKENS + path).url.startswith("/accounts/login/")


def test_the_list_costs_the_same_however_many_there_are(
    reauthenticated_client, alice, django_assert_num_queries
):
    reauthenticated_client.get(TOKENS)
    for number in range(3):
        with django_assert_num_queries(5):
            reauthenticated_client.get(TOKENS)
        ApiToken.objects.make(alice, f"Number {number}", is_read_only=True)
