import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core.cache import caches
from django.utils import timezone
from model_bakery import baker

from blog.models import SIGN_UP_RETENTION, Notification, Post, User

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
    assert "Check your inbox" in client.get(response.url).content.decode()
    assert "_auth_user_id" not in client.session
    [mail] = mails
    assert mail.to == [SIGNUP_DATA["email"]]
    assert mail.subject == "[Microblog] Confirm your email address"
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"
    url = find_link(mail, "confirm-email")
    assert f'href="http://testserver{url}"' in mail.alternatives[0].content
    assert "Use carol@microblog.example as the email address" in client.get(url).content.decode()
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
    assert [mail.subject for mail in mails] == ["[Microblog] Confirm your email address"]
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
    assert client.get(known.url).content.decode().count("Check your inbox") == 2
    [mail] = mails
    assert mail.to == [alice.email]
    assert mail.subject == "[Microblog] You already have an account"
    assert "http://testserver/accounts/password/reset/" in mail.body
    assert "confirm-email" not in mail.body


@pytest.fixture(params=["known address", "new address"])
def carol(request, client, alice, capture_mails):
    """Sign carol up, with the address of alice or a new one, and do not confirm it."""
    email = alice.email if request.param == "known address" else SIGNUP_DATA["email"]
    with capture_mails():
        client.post("/accounts/signup/", SIGNUP_DATA | {"email": email})
    return User.objects.get(username="carol")


@pytest.mark.parametrize(
    "path",
    [
        *("/@carol/", "/@carol/card/", "/@carol/feed/", "/@carol/followers/", "/@carol/following/"),
        *("/messages/@carol/", "/@carol/block/", "/@carol/report/"),
    ],
)
@pytest.mark.parametrize("viewer", ["visitor", "bob", "staff"])
def test_unconfirmed_account_is_shown_to_nobody(carol, path, viewer, request, client):
    other = type(client)()
    if viewer != "visitor":
        other.force_login(request.getfixturevalue(viewer))
    assert other.get(path).status_code in ((302, 404) if viewer == "visitor" else (404,))


def test_unconfirmed_account_is_not_found_linked_or_followed(carol, as_bob, bob):
    baker.make(Post, author=bob, body="Hello @carol and @bob")
    assert "/@carol/" not in as_bob.get("/").content.decode()
    assert "/@carol/" not in as_bob.get("/search/?q=carol&in=people").content.decode()
    for action in ("follow", "mute", "block"):
        assert as_bob.post(f"/@carol/{action}/").status_code == 404
    assert not Notification.objects.exists()


def test_username_of_unconfirmed_account_is_reserved(carol, client):
    data = SIGNUP_DATA | {"username": "Carol", "email": "other@microblog.example"}
    page = type(client)().post("/accounts/signup/", data).content.decode()
    assert "This username is taken." in page


@pytest.mark.parametrize("login", ["carol", "email"])
def test_sign_in_to_unconfirmed_account_does_not_reveal_address(carol, client, login):
    """The name leads to the mailbox in both cases, the address to an error."""
    address = EmailAddress.objects.get(user=carol).email
    data = {"login": address if login == "email" else "carol", "password": PASSWORD}
    response = type(client)().post("/accounts/login/", data)
    if login == "carol":
        assert response.url == "/accounts/confirm-email/"
    else:
        assert "The e-mail address or the password is wrong." in response.content.decode()


def test_unconfirmed_account_gets_no_confirmation_link_to_known_address(
    client, alice, capture_mails, empty_broker
):
    with capture_mails():
        client.post("/accounts/signup/", SIGNUP_DATA | {"email": alice.email})
    empty_broker.flushall()  # reset the rate limit on these mails
    with capture_mails() as mails:
        client.post("/accounts/login/", {"login": "carol", "password": PASSWORD})
    assert [mail.subject for mail in mails] == ["[Microblog] You have an account already"]


def test_confirmed_account_is_shown(client, capture_mails):
    with capture_mails() as mails:
        client.post("/accounts/signup/", SIGNUP_DATA)
    other = type(client)()
    assert other.get("/@carol/").status_code == 404
    client.post(find_link(mails[0], "confirm-email"))
    assert other.get("/@carol/").status_code == 200


def test_address_confirmed_by_other_cannot_be_confirmed_again(client, capture_mails):
    clients = [client, type(client)()]
    links = []
    for browser, name in zip(clients, ("carol", "dora"), strict=True):
        with capture_mails() as mails:
            browser.post("/accounts/signup/", SIGNUP_DATA | {"username": name})
        links += [find_link(mail, "confirm-email") for mail in mails]
        caches["default"].clear()  # reset the rate limit on these mails
    for browser, link in zip(clients, links, strict=True):
        browser.post(link)
    assert [user.confirmed_email for user in User.objects.order_by("username")] == [
        SIGNUP_DATA["email"],
        None,
    ]
    assert list(User.objects.listed().values_list("username", flat=True)) == ["carol"]
    # Its name stays reserved until the sweeper deletes it.
    User.objects.update(date_joined=timezone.now() - SIGN_UP_RETENTION, last_login=None)
    assert [user.username for user in User.objects.never_confirmed()] == ["dora"]


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
        ("username", "ad.min", "reserved"),
        ("username", "R00t", "reserved"),
        ("username", "m1crob1og", "reserved"),
        ("username", "s-y_stem", "reserved"),
        ("username", "alice.", "must begin and end with a letter or digit"),
        ("username", "-alice", "must begin and end with a letter or digit"),
        ("username", "_x_", "must begin and end with a letter or digit"),
        ("username", ".", "must begin and end with a letter or digit"),
        ("username", "no spaces", "Use only letters"),
        ("username", "nul\0", "NUL character"),
        ("username", "", "This field is required."),
        ("email", "nonsense", "Enter a valid email address"),
        ("password1", "short", "too short"),
        ("password1", "password123", "easy to guess"),
        ("password1", "x1" * 65, "too long"),
        ("password1", "carol@microblog", "too similar to your username"),
        ("password2", "another", "passwords don"),
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
    assert "no longer works" in response.content.decode()
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
