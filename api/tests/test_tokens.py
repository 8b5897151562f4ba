"""Creation, display, use and end of API tokens."""

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


def create_token(client, **data):
    return client.post(f"{TOKENS}new/", {"name": "Laptop"} | data)


def create_and_show_token(client, **data):
    assert create_token(client, **data).url == f"{TOKENS}made/"
    return client.get(f"{TOKENS}made/")


def secret_in(page):
    return re.findall(r"mb_[\w-]{43}", page.content.decode())[0]


def test_created_token_authenticates(reauthenticated_client, client, alice):
    page = create_and_show_token(reauthenticated_client)
    assert "no-store" in page["Cache-Control"]
    response = type(client)().get(PROFILE, headers={"authorization": f"Bearer {secret_in(page)}"})
    assert response.json()["username"] == "alice"


def test_settings_link_to_tokens(reauthenticated_client):
    assert f'href="{TOKENS}"' in reauthenticated_client.get("/settings/").content.decode()


def test_token_is_stored_as_digest(reauthenticated_client, alice):
    secret = secret_in(create_and_show_token(reauthenticated_client))
    page = reauthenticated_client.get(TOKENS).content.decode()
    assert "Laptop" in page
    assert secret not in page
    row = ApiToken.objects.filter(owner=alice).values().get()
    assert secret not in str(row)
    assert len(row["digest"]) == 64


def test_token_is_shown_only_once(reauthenticated_client, alice):
    create_token(reauthenticated_client)
    session_data = str(dict(reauthenticated_client.session))
    secret = secret_in(reauthenticated_client.get(f"{TOKENS}made/"))
    assert secret not in session_data  # it holds the secret encrypted
    assert reauthenticated_client.get(f"{TOKENS}made/").url == TOKENS
    assert alice.api_tokens.count() == 1


def test_revoked_token_is_not_shown(reauthenticated_client, alice):
    create_token(reauthenticated_client)
    alice.api_tokens.all().delete()
    assert reauthenticated_client.get(f"{TOKENS}made/").url == TOKENS


@pytest.mark.parametrize(
    ("data", "text"), [({"is_read_only": "on"}, "change nothing"), ({}, "in your name")]
)
def test_token_page_describes_its_permissions(reauthenticated_client, data, text):
    assert f"can {text}" in create_and_show_token(
        reauthenticated_client, **data
    ).content.decode().replace("can read and write", "can")


def test_new_token_is_announced_by_mail(reauthenticated_client, alice, capture_mails):
    with capture_mails() as mails:
        secret = secret_in(create_and_show_token(reauthenticated_client, is_read_only="on"))
    (mail,) = mails
    assert mail.to == ["alice@microblog.example"]
    assert "A new API token" in mail.subject
    assert "“Laptop”" in mail.body
    assert "can read what you can read" in mail.body
    assert secret not in mail.body


def test_token_creation_requires_reauthentication(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": 0, "username": "alice"}
    ]
    session.save()
    assert client.get(f"{TOKENS}new/").url.startswith("/accounts/reauthenticate/")
    assert create_token(client).url.startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0b"])
def test_invalid_token_name_is_rejected(reauthenticated_client, name):
    assert create_token(reauthenticated_client, name=name).status_code == 422
    assert not ApiToken.objects.exists()


def test_number_of_tokens_is_limited(reauthenticated_client, alice, monkeypatch):
    monkeypatch.setattr(token, "MAX_TOKENS", 2)
    assert [create_token(reauthenticated_client).status_code for _ in range(3)] == [302, 302, 422]
    assert alice.api_tokens.count() == 2


def test_revoked_token_is_rejected(reauthenticated_client, alice, api_client):
    assert api_client.get(PROFILE).status_code == 200
    assert reauthenticated_client.post(f"{TOKENS}{alice.api_tokens.get().pk}/revoke/").url == TOKENS
    assert api_client.get(PROFILE).status_code == 401


def test_token_of_other_user_cannot_be_revoked(reauthenticated_client, bob, make_api_client):
    other_client = make_api_client(bob)
    assert (
        reauthenticated_client.post(f"{TOKENS}{bob.api_tokens.get().pk}/revoke/").status_code == 404
    )
    assert other_client.get(PROFILE).status_code == 200


def test_new_password_invalidates_all_tokens(
    reauthenticated_client, alice, api_client, make_api_client
):
    alice.set_password("another walk")
    alice.save()
    assert api_client.get(PROFILE).status_code == 401
    assert make_api_client(alice).get(PROFILE).status_code == 200
    assert alice.api_tokens.count() == 1  # the invalid one was deleted


def test_closed_account_has_no_valid_tokens(alice, api_client):
    alice.is_active = False
    alice.save()
    assert api_client.get(PROFILE).status_code == 401


def test_account_deletion_deletes_tokens(alice, api_client):
    alice.delete()
    assert api_client.get(PROFILE).status_code == 401


def test_last_use_is_recorded_once_a_minute(alice, api_client, django_assert_num_queries):
    with django_assert_num_queries(3):
        api_client.get(PROFILE)
    first = alice.api_tokens.get().last_used_at
    with django_assert_num_queries(2):
        api_client.get(PROFILE)
    assert alice.api_tokens.get().last_used_at == first
    alice.api_tokens.update(last_used_at=timezone.now() - timedelta(seconds=61))
    api_client.get(PROFILE)
    assert alice.api_tokens.get().last_used_at >= first


def test_api_request_does_not_update_last_seen(alice, api_client):
    api_client.get(PROFILE)
    alice.refresh_from_db()
    assert alice.last_seen_at is None


@pytest.mark.parametrize(
    ("path", "wrong"), [("", "post"), ("new/", "put"), ("made/", "post"), ("1/revoke/", "get")]
)
def test_token_pages_reject_wrong_method_and_visitors(client, reauthenticated_client, path, wrong):
    assert getattr(reauthenticated_client, wrong)(TOKENS + path).status_code == 405
    right = "post" if path.endswith("revoke/") else "get"
    assert getattr(type(client)(), right)(TOKENS + path).url.startswith("/accounts/login/")


def test_token_list_has_constant_query_count(
    reauthenticated_client, alice, django_assert_num_queries
):
    reauthenticated_client.get(TOKENS)
    for number in range(3):
        with django_assert_num_queries(5):
            reauthenticated_client.get(TOKENS)
        ApiToken.objects.issue(alice, f"Number {number}", is_read_only=True)
