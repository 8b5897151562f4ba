import re

import pytest
from django.conf import settings

from blog.accounts import second_factor
from blog.accounts.allauth_internals import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def current_code(secret, periods=0):
    """Return the code that the app shows now or, at 1 and -1, in the period after or before."""
    counter = list(yield_hotp_counters_from_time())[1 + periods]
    return format_hotp_value(hotp_value(secret, counter))


def open_enrolment_link(client, user):
    """Let the client's session turn on two-step verification."""
    link = second_factor.enrolment_link(user).removeprefix(settings.SITE_URL)
    assert client.get(link).url == "/accounts/2fa/totp/activate/"


@pytest.fixture
def secret(reauthenticated_client, alice, capture_mails):
    """Activate MFA for alice with the code of the period before, and return its secret."""
    open_enrolment_link(reauthenticated_client, alice)
    page = reauthenticated_client.get("/accounts/2fa/totp/activate/").content.decode()
    found = re.findall(r'<code class="checksum">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    with capture_mails() as mails:
        response = reauthenticated_client.post(
            "/accounts/2fa/totp/activate/", {"code": current_code(found, periods=-1)}
        )
    assert response.url == "/accounts/2fa/recovery-codes/"
    assert [mail.subject for mail in mails] == ["[Microblog] Two-step verification is on"]
    return found


def recovery_codes(client):
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    return re.findall(r"<li[^>]*><code>(\d+)</code>", page)


def test_login_asks_for_code(reauthenticated_client, secret, client):
    client.logout()
    response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert response.url == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    assert "That code is wrong" in client.post(response.url, {"code": "nonsense"}).content.decode()
    assert client.post(response.url, {"code": current_code(secret)}).url == "/"
    assert "_auth_user_id" in client.session


def test_recovery_code_works_once(reauthenticated_client, secret, client):
    codes = recovery_codes(client)
    assert len(codes) == 10
    for expected in (302, 200):
        client.logout()
        client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert (
            client.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == expected
        )


def test_code_guesses_are_rate_limited(reauthenticated_client, secret, client):
    client.logout()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    for _ in range(11):
        page = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Too many failed attempts" in page.content.decode()


def test_recovery_codes_can_be_downloaded_and_replaced(
    reauthenticated_client, secret, capture_mails
):
    old = recovery_codes(reauthenticated_client)
    assert (
        reauthenticated_client.get("/accounts/2fa/recovery-codes/download/")
        .content.decode()
        .split()
        == old
    )
    assert (
        "Create new recovery codes?"
        in reauthenticated_client.get("/accounts/2fa/recovery-codes/generate/").content.decode()
    )
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/2fa/recovery-codes/generate/")
    assert not set(old) & set(recovery_codes(reauthenticated_client))
    assert [mail.subject for mail in mails] == ["[Microblog] You have new recovery codes"]


def test_mfa_can_be_deactivated(reauthenticated_client, secret, capture_mails):
    assert (
        "On: signing in takes your password"
        in reauthenticated_client.get("/accounts/2fa/").content.decode()
    )
    assert (
        "Turn off" in reauthenticated_client.get("/accounts/2fa/totp/deactivate/").content.decode()
    )
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/2fa/totp/deactivate/")
    assert [mail.subject for mail in mails] == ["[Microblog] Two-step verification is off"]
    page = reauthenticated_client.get("/accounts/2fa/").content.decode()
    assert "Set up" in page
    assert "Recovery codes" not in page


def test_wrong_code_does_not_activate_mfa(reauthenticated_client, alice):
    open_enrolment_link(reauthenticated_client, alice)
    reauthenticated_client.get("/accounts/2fa/totp/activate/")
    page = reauthenticated_client.post(
        "/accounts/2fa/totp/activate/", {"code": "nonsense"}
    ).content.decode()
    assert "That code is wrong" in page
    assert "Set up" in reauthenticated_client.get("/accounts/2fa/").content.decode()


def test_recovery_codes_require_reauthentication(reauthenticated_client, secret):
    session = reauthenticated_client.session
    del session["account_authentication_methods"]
    session.save()
    response = reauthenticated_client.get("/accounts/2fa/recovery-codes/")
    assert response.url.startswith("/accounts/reauthenticate/")
    page = reauthenticated_client.get(response.url).content.decode()
    assert "/accounts/2fa/reauthenticate/" in page
    assert (
        "please enter a code"
        in reauthenticated_client.get("/accounts/2fa/reauthenticate/").content.decode()
    )


def test_webauthn_is_not_available(reauthenticated_client):
    assert reauthenticated_client.get("/accounts/2fa/webauthn/").status_code == 404
