"""Whether there is an account, and the secrets of second factors: neither is told."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.auth.hashers import get_hasher

from blog.tests.accounts.test_signup import CAROL

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def hashings(monkeypatch):
    """How often a password was hashed: all but all of the time that an answer takes."""
    counted = []
    hasher = type(get_hasher())
    encode = hasher.encode  # which `verify` calls
    monkeypatch.setattr(hasher, "encode", lambda *args: counted.append(args) or encode(*args))
    return counted


def what_is_told(response, *names):
    """All that somebody without the mailbox learns, save what they typed themselves."""
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    for name in names:
        page = page.replace(name, "NAME")
    return response.status_code, response.headers.get("Location"), page


@pytest.mark.parametrize(
    ("known", "unknown"), [("alice", "nobody"), ("alice@microblog.example", "no@microblog.example")]
)
def test_signing_in(client, alice, hashings, known, unknown):
    told, work = [], []
    for name in (known, unknown):
        hashings.clear()
        told.append(
            what_is_told(
                client.post("/accounts/login/", {"login": name, "password": "wrong"}), name
            )
        )
        work.append(len(hashings))
    assert told[0] == told[1]
    assert work == [1, 1]


def test_signing_in_to_a_closed_account(client, alice, bob, hashings):
    bob.is_active = False
    bob.save()
    told = [
        what_is_told(client.post("/accounts/login/", {"login": name, "password": "wrong"}), name)
        for name in ("bob", "nobody")
    ]
    assert told[0] == told[1]


def test_signing_up(alice, client, hashings, capture_mails):
    told, work = [], []
    for username, email in (("carol", alice.email), ("dave", "dave@microblog.example")):
        hashings.clear()
        with capture_mails():
            response = type(client)().post(
                "/accounts/signup/", CAROL | {"username": username, "email": email}
            )
        told.append(what_is_told(response, username, email))
        work.append(len(hashings))
    assert told[0] == told[1]
    assert work == [1, 1]


def test_a_lost_password(client, alice, hashings, mailoutbox):
    told = [
        what_is_told(client.post("/accounts/password/reset/", {"email": email}), email)
        for email in (alice.email, "nobody@microblog.example")
    ]
    assert told[0] == told[1]
    assert hashings == []
    assert mailoutbox == []  # sent by a worker: a mail server's time would tell


# Second factors


def is_right(factor):
    """Whether one of the codes of this minute opens."""
    return any(
        factor.validate_code(format_hotp_value(hotp_value(SECRET, n)))
        for n in yield_hotp_counters_from_time()
    )


def test_the_database_does_not_hold_the_secret(alice):
    factor, codes = TOTP.activate(alice, SECRET), RecoveryCodes.activate(alice)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in stored
    assert stored.count("sealed:") == 2
    assert is_right(TOTP(Authenticator.objects.get(pk=factor.instance.pk)))
    assert codes.validate_code(codes.generate_codes()[0])


def test_one_that_was_stored_in_the_clear_goes_on_to_work(alice):
    row = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.TOTP, data={"secret": SECRET}
    )
    assert is_right(TOTP(row))


def test_a_new_key_opens_what_the_former_one_sealed(alice, settings):
    factor = TOTP.activate(alice, SECRET)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-that-guards-nothing-and-nobody"
    assert is_right(factor)


def test_without_its_key_no_code_is_right_not_even_that_of_an_empty_secret(alice, settings, caplog):
    factor, codes = TOTP.activate(alice, SECRET), RecoveryCodes.activate(alice)
    known = codes.generate_codes()
    settings.SECRET_KEY = "another-key-that-guards-nothing-and-nobody"
    assert not is_right(factor)
    empty = [
        format_hotp_value(hotp_value("", counter)) for counter in yield_hotp_counters_from_time()
    ]
    assert not any(factor.validate_code(code) for code in empty)
    assert not set(codes.generate_codes()) & set(known)
    assert "SECRET_KEY_FALLBACKS" in caplog.text


# What the admin shows of them


def test_staff_see_that_there_is_one_and_not_its_secret(client, staff, alice):
    client.force_login(staff)
    factor = TOTP.activate(alice, SECRET).instance
    assert "alice" in client.get("/admin/mfa/authenticator/").content.decode()
    for path in ("", f"{factor.pk}/change/", f"{factor.pk}/history/", f"{factor.pk}/delete/"):
        page = client.get(f"/admin/mfa/authenticator/{path}").content.decode()
        assert "sealed:" not in page
        assert factor.data["secret"] not in page
    url = f"/admin/mfa/authenticator/{factor.pk}/change/"
    assert client.post(url, {"data": "{}", "user": staff.pk}).status_code == 403


def test_keys_of_sessions_and_unconfirmed_addresses_are_not_for_the_admin(client, staff, alice):
    client.force_login(staff)
    for path in ("usersessions/usersession/", "account/emailaddress/", "sessions/session/"):
        assert client.get(f"/admin/{path}").status_code == 404


@pytest.mark.parametrize("how", ["one", "several"])
def test_it_is_taken_off_for_whoever_lost_it_who_is_told(client, staff, alice, capture_mails, how):
    factor = TOTP.activate(alice, SECRET).instance
    RecoveryCodes.activate(alice)
    client.force_login(staff)
    with capture_mails() as mails:
        if how == "one":
            client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
        else:
            chosen = {"_selected_action": factor.pk, "action": "delete_selected", "post": "yes"}
            client.post("/admin/mfa/authenticator/", chosen)
    assert not alice.authenticator_set.exists()
    assert [(mail.to, mail.subject) for mail in mails] == [
        ([alice.email], "[Microblog] The second factor is off")
    ]
