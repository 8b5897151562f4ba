import re
import time

import pytest

from blog.accounts.allauth_internals import format_hotp_value, hotp_value
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def current_code(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.fixture
def secret(reauthenticated_client, capture_mails):
    """Activate MFA for alice, and return its secret."""
    page = reauthenticated_client.get("/accounts/2fa/totp/activate/").content.decode()
    found = re.findall(r'<code class="checksum">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    with capture_mails() as mails:
        response = reauthenticated_client.post(
            "/accounts/2fa/totp/activate/", {"code": current_code(found)}
        )
    assert response.url == "/accounts/2fa/recovery-codes/"
    assert [mail.subject for mail in mails] == ["[Microblog] The second factor is on"]
    return found


def recovery_codes(client):
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    return re.findall(r"<li[^>]*><code>(\d+)</code>", page)


def test_login_asks_for_code(reauthenticated_client, secret, client, empty_broker):
    client.logout()
    empty_broker.flushall()  # the cache remembers used codes
    response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert response.url == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    assert (
        "This code is not right" in client.post(response.url, {"code": "nonsense"}).content.decode()
    )
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
    assert "Too many wrong passwords or codes" in page.content.decode()


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
        "Make new recovery codes?"
        in reauthenticated_client.get("/accounts/2fa/recovery-codes/generate/").content.decode()
    )
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/2fa/recovery-codes/generate/")
    assert not set(old) & set(recovery_codes(reauthenticated_client))
    assert [mail.subject for mail in mails] == ["[Microblog] You have new recovery codes"]


def test_mfa_can_be_deactivated(reauthenticated_client, secret, capture_mails):
    assert "It is on" in reauthenticated_client.get("/accounts/2fa/").content.decode()
    assert (
        "Switch off"
        in reauthenticated_client.get("/accounts/2fa/totp/deactivate/").content.decode()
    )
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/2fa/totp/deactivate/")
    assert [mail.subject for mail in mails] == ["[Microblog] The second factor is off"]
    page = reauthenticated_client.get("/accounts/2fa/").content.decode()
    assert "Set it up" in page
    assert "Recovery codes" not in page


def test_wrong_code_does_not_activate_mfa(reauthenticated_client):
    reauthenticated_client.get("/accounts/2fa/totp/activate/")
    page = reauthenticated_client.post(
        "/accounts/2fa/totp/activate/", {"code": "nonsense"}
    ).content.decode()
    assert "This code is not right" in page
    assert "Set it up" in reauthenticated_client.get("/accounts/2fa/").content.decode()


def test_recovery_codes_require_reauthentication(reauthenticated_client, secret):
    session = reauthenticated_client.session
    del session["account_authentication_methods"]
    session.save()
    response = reauthenticated_client.get("/accounts/2fa/recovery-codes/")
    assert response.url.startswith("/accounts/reauthenticate/")
    page = reauthenticated_client.get(response.url).content.decode()
    assert "/accounts/2fa/reauthenticate/" in page
    assert (
        "Please enter a code"
        in reauthenticated_client.get("/accounts/2fa/reauthenticate/").content.decode()
    )


def test_webauthn_is_not_available(reauthenticated_client):
    assert reauthenticated_client.get("/accounts/2fa/webauthn/").status_code == 404
