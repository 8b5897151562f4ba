import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC

from blog.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PASSWORD = "soup and trains"
SIGNUP_DATA = {
    "username": "carol",
    "email": "carol@microblog.example",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def find_link(mail, part):
    """Return the path of the link to `/accounts/<part>...` in a mail."""
    return re.findall(rf"http://[^/]+(/accounts/{part}\S*)", mail.body)[0]


def test_sign_up_and_confirmation_log_in(client, capture_mails):
    with capture_mails() as mails:
        response = client.post("/accounts/signup/", SIGNUP_DATA)
    assert response.url == "/accounts/confirm-email/"
    assert "Look into your mailbox" in client.get(response.url).content.decode()
    assert "_auth_user_id" not in client.session
    [mail] = mails
    assert mail.to == [SIGNUP_DATA["email"]]
    assert mail.subject == "[Microblog] Confirm your address"
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"
    url = find_link(mail, "confirm-email")
    assert f'href="http://testserver{url}"' in mail.alternatives[0].content
    assert "carol@microblog.example is to be the address" in client.get(url).content.decode()
    assert User.objects.get().confirmed_email is None
    assert client.post(url).url == "/"
    assert User.objects.get().confirmed_email == SIGNUP_DATA["email"]
    assert "_auth_user_id" in client.session


def test_confirmation_in_other_browser_requires_login(client, capture_mails, django_user_model):
    with capture_mails() as mails:
        client.post("/accounts/signup/", SIGNUP_DATA)
    other = type(client)()
    assert other.post(find_link(mails[0], "confirm-email")).url == "/accounts/login/"
    assert "_auth_user_id" not in other.session
    assert other.post("/accounts/login/", {"login": "carol", "password": PASSWORD}).url == "/"


def test_login_requires_confirmed_address(client, capture_mails, empty_broker):
    with capture_mails():
        client.post("/accounts/signup/", SIGNUP_DATA)
    empty_broker.flushall()  # reset the rate limit on these mails
    with capture_mails() as mails:
        response = client.post("/accounts/login/", {"login": "carol", "password": PASSWORD})
    assert response.url == "/accounts/confirm-email/"
    assert [mail.subject for mail in mails] == ["[Microblog] Confirm your address"]
    assert "_auth_user_id" not in client.session


def test_sign_up_does_not_reveal_accounts(client, alice, capture_mails):
    with capture_mails() as mails:
        known = client.post("/accounts/signup/", SIGNUP_DATA | {"email": "Alice@microblog.example"})
    with capture_mails():
        unknown = type(client)().post("/accounts/signup/", SIGNUP_DATA | {"username": "dave"})
    assert (known.status_code, known.url, known.content) == (
        unknown.status_code,
        unknown.url,
        unknown.content,
    )
    assert client.get(known.url).content.decode().count("Look into your mailbox") == 2
    assert not User.objects.filter(username="carol").exists()
    [mail] = mails
    assert mail.subject == "[Microblog] You have an account already"
    assert "http://testserver/accounts/password/reset/" in mail.body


def test_unconfirmed_address_change_does_not_block_sign_up(client, alice, capture_mails):
    EmailAddress.objects.create(user=alice, email=SIGNUP_DATA["email"])
    with capture_mails() as mails:
        client.post("/accounts/signup/", SIGNUP_DATA)
    client.post(find_link(mails[0], "confirm-email"))
    assert User.objects.get(username="carol").confirmed_email == SIGNUP_DATA["email"]
    assert alice.confirmed_email == alice.email


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "ALICE", "taken"),
        ("username", "Admin", "reserved"),
        ("username", "no spaces", "Use letters"),
        ("username", "nul\0", "NUL character"),
        ("username", "", "Please fill this in."),
        ("email", "nonsense", "not an e-mail address"),
        ("password1", "short", "too short"),
        ("password1", "password123", "Many people use this password"),
        ("password1", "x1" * 65, "too long"),
        ("password1", "carol@microblog", "too much like your name"),
        ("password2", "another", "not the same"),
    ],
)
def test_invalid_sign_up_shows_error(client, alice, field, value, message):
    data = SIGNUP_DATA | (
        {"password1": value, "password2": value} if field == "password1" else {field: value}
    )
    response = client.post("/accounts/signup/", data)
    assert response.status_code == 200
    assert message in response.content.decode()
    assert User.objects.count() == 1


def test_sign_up_redirects_signed_in_user(client, alice):
    client.force_login(alice)
    assert client.get("/accounts/signup/").url == "/"


@pytest.mark.parametrize("key", ["nonsense", "MQ:1:2"])
def test_invalid_confirmation_link_shows_error(client, key):
    response = client.get(f"/accounts/confirm-email/{key}/")
    assert "does not work any more" in response.content.decode()
    assert client.post(f"/accounts/confirm-email/{key}/").status_code == 404


def test_first_confirmation_wins_address(client, alice, capture_mails):
    with capture_mails():
        client.post("/accounts/signup/", SIGNUP_DATA)
    address = EmailAddress.objects.create(user=alice, email=SIGNUP_DATA["email"])
    client.force_login(alice)
    with capture_mails():
        client.post(f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/")
    assert User.objects.get(pk=alice.pk).confirmed_email == SIGNUP_DATA["email"]
    assert User.objects.get(username="carol").email == ""
