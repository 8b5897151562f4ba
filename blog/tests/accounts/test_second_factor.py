"""Codes that count once; enrolment by a mailed link; removal by a password reset."""

import html
import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management import CommandError, call_command
from django.utils import timezone

from blog.accounts import second_factor
from blog.accounts.allauth_internals import TOTP, RecoveryCodes
from blog.tests.accounts.test_mfa import current_code, open_enrolment_link
from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"
SETUP_URL = "/accounts/2fa/totp/activate/"
USED = "This code has already been used."


@pytest.fixture
def authenticator(alice):
    return TOTP.activate(alice, SECRET).instance


@pytest.fixture
def sign_in(client, authenticator):
    """Return a function that signs in with a code, in a new session."""

    def sign_in(code):
        browser = type(client)()
        url = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}).url
        return browser.post(url, {"code": code})

    return sign_in


# Codes


@pytest.mark.parametrize("periods", [-1, 0, 1])
def test_code_is_accepted_once(sign_in, empty_broker, periods):
    code = current_code(SECRET, periods)
    assert sign_in(code).status_code == 302
    empty_broker.flushall()  # the cache is not what remembers it
    for spelling in (code, f"{code[:3]} {code[3:]}", f" {code}"):
        assert USED in sign_in(spelling).content.decode()


def test_earlier_code_is_refused_after_later_one(sign_in):
    assert sign_in(current_code(SECRET)).status_code == 302
    assert USED in sign_in(current_code(SECRET, -1)).content.decode()
    assert sign_in(current_code(SECRET, 1)).status_code == 302


def test_code_used_at_sign_in_does_not_reauthenticate(client, authenticator):
    code = current_code(SECRET)
    url = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD}).url
    client.post(url, {"code": code})
    url = "/accounts/2fa/reauthenticate/"
    assert USED in client.post(url, {"code": code}).content.decode()
    assert client.post(url, {"code": current_code(SECRET, 1)}).status_code == 302


def test_code_that_turned_it_on_does_not_sign_in(reauthenticated_client, alice, client):
    code, _ = turn_on(reauthenticated_client, alice)
    browser = type(client)()
    url = browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}).url
    assert USED in browser.post(url, {"code": code}).content.decode()


def test_used_codes_count_as_guesses(sign_in):
    code = current_code(SECRET)
    sign_in(code)
    pages = [sign_in(code).content.decode() for _ in range(11)]
    assert [USED in page for page in pages] == [True] * 10 + [False]
    assert "Too many wrong passwords or codes" in pages[-1]


def test_last_counter_survives_use_and_is_not_shown(sign_in, client, staff):
    sign_in(current_code(SECRET))
    row = Authenticator.objects.get()
    assert row.last_used_at is not None
    assert row.data["last_counter"] > 50_000_000
    assert set(row.data) == {"secret", "last_counter"}


# Enrolment


def turn_on(client, user):
    """Turn on two-step verification; return the code that was entered, and the response."""
    open_enrolment_link(client, user)
    page = client.get(SETUP_URL).content.decode()
    found = re.findall(r'<code class="checksum">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    code = current_code(found)
    return code, client.post(SETUP_URL, {"code": code})


def test_enrolment_needs_link_from_mailbox(reauthenticated_client, alice, capture_mails):
    page = reauthenticated_client.get(SETUP_URL).content.decode()
    assert "checksum" not in page
    assert f"First we'll send a link to {alice.email}" in page
    with capture_mails() as mails:
        page = reauthenticated_client.post(SETUP_URL, {"code": "000000"}).content.decode()
    assert "We've sent you an email with a link." in page
    [mail] = mails
    assert (mail.to, mail.subject) == ([alice.email], "[Microblog] Turn on two-step verification")
    assert "someone knows your password" in mail.body
    assert "/accounts/password/reset/" in mail.body
    assert reauthenticated_client.get(find_link(mail, "2fa")).url == SETUP_URL
    assert "checksum" in reauthenticated_client.get(SETUP_URL).content.decode()


def test_link_opened_by_owner_does_not_help_other_session(reauthenticated_client, alice, client):
    """A thief who asks for the link gains nothing if the owner opens it."""
    owner = type(client)()
    owner.force_login(alice)
    open_enrolment_link(owner, alice)
    assert "checksum" not in reauthenticated_client.get(SETUP_URL).content.decode()


def test_link_requires_sign_in_and_reauthentication(client, alice):
    link = second_factor.enrolment_link(alice).removeprefix("http://testserver")
    assert client.get(link).url.startswith("/accounts/login/")
    client.force_login(alice)
    open_enrolment_link(client, alice)
    assert client.get(SETUP_URL).url.startswith("/accounts/reauthenticate/")


@pytest.mark.parametrize("change", ["password", "address", "user", "expiry", "forged"])
def test_invalid_link_does_not_allow_enrolment(
    reauthenticated_client, alice, bob, monkeypatch, change
):
    link = second_factor.enrolment_link(bob if change == "user" else alice)
    link = link.removeprefix("http://testserver")
    if change == "password":
        alice.set_password("another walk")
        alice.save()
        reauthenticated_client.force_login(alice)
    elif change == "address":
        alice.email = "new@microblog.example"
        alice.save()
    elif change == "expiry":
        monkeypatch.setattr(second_factor, "ENROLMENT_SECONDS", -1)
    elif change == "forged":
        link = f"{link[:-2]}x/"
    page = reauthenticated_client.get(link, follow=True).content.decode()
    assert "This link no longer works." in page or "Is it you?" in page
    assert not reauthenticated_client.session.get("may_enrol_until")


def test_permission_to_enrol_ends(reauthenticated_client, alice):
    open_enrolment_link(reauthenticated_client, alice)
    session = reauthenticated_client.session
    session["may_enrol_until"] -= second_factor.ENROLMENT_SECONDS + 1
    session.save()
    assert "checksum" not in reauthenticated_client.get(SETUP_URL).content.decode()


def test_enrolment_is_closed_after_use(reauthenticated_client, alice):
    turn_on(reauthenticated_client, alice)
    alice.authenticator_set.all().delete()
    assert "checksum" not in reauthenticated_client.get(SETUP_URL).content.decode()


def test_account_without_address_enrols_by_link_of_operator(
    reauthenticated_client, alice, capture_mails, capsys
):
    alice.emailaddress_set.all().delete()
    assert "no confirmed email address" in reauthenticated_client.get(SETUP_URL).content.decode()
    with capture_mails() as mails:
        reauthenticated_client.post(SETUP_URL)
    assert mails == []
    call_command("enrolment_link", "Alice")
    link = capsys.readouterr().out.strip()
    assert reauthenticated_client.get(link.removeprefix("http://testserver")).url == SETUP_URL
    assert "checksum" in reauthenticated_client.get(SETUP_URL).content.decode()


def test_enrolment_link_command_reports_unknown_name(db):
    with pytest.raises(CommandError, match="no account named 'nobody'"):
        call_command("enrolment_link", "nobody")


@pytest.mark.parametrize("is_superuser", [False, True])
def test_staff_cannot_change_their_address(
    reauthenticated_client, alice, settings, capture_mails, is_superuser
):
    """Otherwise a thief with the password could have the link sent to themselves."""
    settings.STAFF_SECOND_FACTOR = True
    alice.is_staff, alice.is_superuser = True, is_superuser
    alice.save()
    with capture_mails() as mails:
        page = reauthenticated_client.post(
            "/accounts/email/", {"email": "thief@microblog.example", "action_add": ""}
        ).content.decode()
    assert "Ask a superuser" in page
    assert mails == []
    assert alice.emailaddress_set.count() == 1


# Sessions


@pytest.fixture
def other_client(client, alice):
    other = type(client)()
    other.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return other


def is_signed_in(client):
    return client.get("/settings/").status_code == 200


def test_turning_it_on_ends_other_sessions(
    reauthenticated_client, alice, bob, client, other_client, django_capture_on_commit_callbacks
):
    stranger = type(client)()
    stranger.post("/accounts/login/", {"login": "bob", "password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        turn_on(reauthenticated_client, alice)
    assert is_signed_in(reauthenticated_client)
    assert not is_signed_in(other_client)
    assert is_signed_in(stranger)


def test_turning_it_off_ends_other_sessions(reauthenticated_client, authenticator, alice):
    UserSession.objects.create(user=alice, session_key="other", ip="192.0.2.1")
    reauthenticated_client.post("/accounts/2fa/totp/deactivate/")
    assert not alice.authenticator_set.exists()
    assert UserSession.objects.filter(user=alice).count() == 1
    assert is_signed_in(reauthenticated_client)


def test_removal_by_staff_ends_sessions_of_owner_alone(client, staff, authenticator, other_client):
    client.force_login(staff)
    client.post(f"/admin/mfa/authenticator/{authenticator.pk}/delete/", {"post": "yes"})
    assert is_signed_in(client)
    assert not is_signed_in(other_client)


# Removal by a password reset


@pytest.fixture
def reset_form(client, alice, authenticator, capture_mails):
    """Return a function that opens the form of a mailed reset link: its URL and its page."""
    RecoveryCodes.activate(alice)

    def open_form():
        with capture_mails() as mails:
            client.post("/accounts/password/reset/", {"email": alice.email})
        page = client.get(find_link(mails[0], "password/reset/key"), follow=True)
        return page.request["PATH_INFO"], page.content.decode()

    return open_form


NEW = {"password1": "rain in june", "password2": "rain in june"}
NEW_SIGN_IN = {"login": "alice", "password": "rain in june"}


def test_reset_turns_new_factor_off(client, alice, reset_form, capture_mails, other_client):
    url, page = reset_form()
    assert "Tick this if that wasn't you." in html.unescape(page)
    with capture_mails() as mails:
        client.post(url, NEW | {"remove_factor": "on"})
    assert not alice.authenticator_set.exists()
    assert {mail.subject for mail in mails} == {
        "[Microblog] The second factor is off",
        "[Microblog] Your password was changed",
    }
    assert not is_signed_in(other_client)
    assert client.post("/accounts/login/", NEW_SIGN_IN).url == "/"


def test_reset_keeps_factor_unless_ticked(client, alice, reset_form):
    client.post(reset_form()[0], NEW)
    assert alice.authenticator_set.count() == 2
    assert client.post("/accounts/login/", NEW_SIGN_IN).url == "/accounts/2fa/authenticate/"


@pytest.mark.parametrize("age", [timedelta(days=7, minutes=1), timedelta(days=400)])
def test_reset_does_not_turn_old_factor_off(client, alice, authenticator, reset_form, age):
    Authenticator.objects.filter(pk=authenticator.pk).update(created_at=timezone.now() - age)
    url, page = reset_form()
    assert "remove_factor" not in page
    client.post(url, NEW | {"remove_factor": "on"})
    assert alice.authenticator_set.count() == 2


def test_reset_does_not_turn_factor_of_staff_off(client, alice, reset_form):
    alice.is_staff = True
    alice.save()
    url, page = reset_form()
    assert "remove_factor" not in page
    client.post(url, NEW | {"remove_factor": "on"})
    assert alice.authenticator_set.count() == 2


def test_reset_of_account_without_factor_offers_nothing(client, alice, reset_form):
    alice.authenticator_set.all().delete()
    url, page = reset_form()
    assert "remove_factor" not in page
    assert client.post(url, NEW | {"remove_factor": "on"}).status_code == 302


def test_mail_about_new_factor_says_what_helps(reauthenticated_client, alice, capture_mails):
    with capture_mails() as mails:
        turn_on(reauthenticated_client, alice)
    [mail] = mails
    assert "tick “Turn off two-step verification”" in mail.body
    assert "superuser" not in mail.body
    assert "for 7 days" in mail.body
    assert "http://testserver/accounts/password/reset/" in mail.body


def test_mail_to_staff_names_superusers(reauthenticated_client, alice, capture_mails):
    alice.is_staff = True
    alice.save()
    with capture_mails() as mails:
        turn_on(reauthenticated_client, alice)
    [mail] = mails
    assert "ask a superuser to remove your second factor" in mail.body
    assert "tick “" not in mail.body
