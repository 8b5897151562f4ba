"""Log lines about sign-ins and changes to how an account is entered."""

import json
import logging

import pytest

from blog.accounts.allauth_internals import TOTP
from blog.tests.accounts.test_mfa import current_code, open_enrolment_link
from blog.tests.accounts.test_second_factor import SECRET, turn_on
from blog.tests.accounts.test_signup import SIGNUP_DATA, find_link
from conftest import PASSWORD
from microblog.logs import JsonFormatter

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def events(caplog):
    """Return a function for the logged events, as (event, user, methods)."""
    caplog.set_level(logging.INFO, logger="blog.accounts.security_log")
    return lambda: [
        (record.event, record.user, record.methods)
        for record in caplog.records
        if record.name == "blog.accounts.security_log"
    ]


def test_sign_in_and_out_are_logged(client, alice, events):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/logout/")
    assert events() == [("sign-in", alice.pk, "password"), ("sign-out", alice.pk, "-")]


def test_sign_in_with_code_is_logged_with_both_methods(client, alice, events):
    TOTP.activate(alice, SECRET)
    url = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD}).url
    client.post(url, {"code": "000000"})
    client.post(url, {"code": current_code(SECRET)})
    assert events() == [("wrong code", alice.pk, "mfa"), ("sign-in", alice.pk, "password+mfa")]


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@microblog.example"])
def test_wrong_password_is_logged_with_account(client, alice, events, name):
    client.post("/accounts/login/", {"login": name, "password": "wrong"})
    assert events() == [("wrong password", alice.pk, "password")]


def test_what_was_typed_is_not_logged(client, events, caplog):
    client.post("/accounts/login/", {"login": "my-secret-password", "password": "another-one"})
    assert events() == [("wrong password", None, "password")]
    assert "my-secret" not in caplog.text
    assert "another-one" not in caplog.text


def test_guess_limit_is_logged(client, alice, events):
    for _ in range(11):
        client.post("/accounts/login/", {"login": "alice", "password": "wrong"})
    assert events()[-1] == ("too many wrong passwords", alice.pk, "-")


def test_wrong_password_at_reauthentication_is_logged(reauthenticated_client, alice, events):
    reauthenticated_client.post("/accounts/reauthenticate/", {"password": "wrong"})
    assert events()[-1] == ("wrong password", alice.pk, "password")


def test_changes_of_account_are_logged(reauthenticated_client, alice, events, capture_mails):
    client, new = reauthenticated_client, "rain in june"
    with capture_mails() as mails:
        client.post("/accounts/email/", {"email": "new@microblog.example", "action_add": ""})
    with capture_mails():
        client.post(find_link(mails[0], "confirm-email"))
        client.post("/settings/tokens/new/", {"name": "Laptop"})
        client.post(f"/settings/tokens/{alice.api_tokens.get().pk}/revoke/")
        data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        client.post("/accounts/password/change/", data)
        alice.refresh_from_db()
    with capture_mails():
        turn_on(client, alice)
    with capture_mails():
        client.post("/accounts/2fa/recovery-codes/generate/")
    with capture_mails():
        client.post("/accounts/2fa/totp/deactivate/")
    names = [event for event, user, _ in events() if user == alice.pk]
    assert names == [
        "address changed",
        "API token created",
        "API token revoked",
        "password changed",
        "second factor on",
        "second factor on",  # its recovery codes
        "recovery codes replaced",
        "second factor off",
        "second factor off",
    ]


def test_removal_by_staff_is_logged_with_owner(client, staff, alice, events):
    authenticator = TOTP.activate(alice, SECRET).instance
    client.force_login(staff)
    client.post(f"/admin/mfa/authenticator/{authenticator.pk}/delete/", {"post": "yes"})
    assert events()[-1] == ("second factor off", alice.pk, "totp")


def test_sign_up_and_reset_are_logged(client, alice, events, capture_mails):
    client.post("/accounts/signup/", SIGNUP_DATA)
    with capture_mails() as mails:
        client.post("/accounts/password/reset/", {"email": alice.email})
    form = client.get(find_link(mails[0], "password/reset/key"), follow=True)
    data = {"password1": "rain in june", "password2": "rain in june"}
    client.post(form.request["PATH_INFO"], data)
    assert [event for event, _, _ in events()] == ["sign-up", "password reset"]


def test_json_line_has_fields(client, alice, caplog):
    caplog.set_level(logging.INFO, logger="blog.accounts.security_log")
    client.post(
        "/accounts/login/",
        {"login": "alice", "password": PASSWORD},
        REMOTE_ADDR="2001:db8:1:2:3:4:5:6",
    )
    [record] = [line for line in caplog.records if line.name == "blog.accounts.security_log"]
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["user"], line["methods"]) == ("sign-in", alice.pk, "password")
    assert line["network"] == "2001:db8:1:2::"


def test_enrolment_key_is_redacted(caplog, reauthenticated_client, alice):
    open_enrolment_link(reauthenticated_client, alice)
    assert not [text for text in caplog.messages if "/totp/activate/ey" in text or "Wz" in text]
