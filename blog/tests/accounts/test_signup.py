import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC

from blog.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PASSWORD = "soup and trains"
CAROL = {
    "username": "carol",
    "email": "carol@microblog.example",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def link(mail, part):
    """The path of the link in a mail that begins like this."""
    return re.findall(rf"http://[^/]+(/accounts/{part}\S*)", mail.body)[0]


def test_somebody_signs_up_confirms_and_is_in(client, capture_mails):
    with capture_mails() as mails:
        response = client.post("/accounts/signup/", CAROL)
    assert response.url == "/accounts/confirm-email/"
    assert "Look into your mailbox" in client.get(response.url).content.decode()
    assert "_auth_user_id" not in client.session
    [mail] = mails
    assert mail.to == [CAROL["email"]]
    assert mail.subject == "[Microblog] Confirm your address"
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"
    url = link(mail, "confirm-email")
    assert f'href="http://testserver{url}"' in mail.alternatives[0].content
    assert "carol@microblog.example is to be the address" in client.get(url).content.decode()
    assert User.objects.get().confirmed_email is None
    assert client.post(url).url == "/"
    assert User.objects.get().confirmed_email == CAROL["email"]
    assert "_auth_user_id" in client.session


def test_in_another_browser_the_password_is_asked_for(client, capture_mails, django_user_model):
    with capture_mails() as mails:
        client.post("/accounts/signup/", CAROL)
    other = type(client)()
    assert other.post(link(mails[0], "confirm-email")).url == "/accounts/login/"
    assert "_auth_user_id" not in other.session
    assert other.post("/accounts/login/", {"login": "carol", "password": PASSWORD}).url == "/"


def test_nobody_signs_in_before_confirming(client, capture_mails, empty_broker):
    with capture_mails():
        client.post("/accounts/signup/", CAROL)
    empty_broker.flushall()  # the pause between two such mails
    with capture_mails() as mails:
        response = client.post("/accounts/login/", {"login": "carol", "password": PASSWORD})
    assert response.url == "/accounts/confirm-email/"
    assert [mail.subject for mail in mails] == ["[Microblog] Confirm your address"]
    assert "_auth_user_id" not in client.session


def test_a_known_address_is_answered_like_an_unknown_one(client, alice, capture_mails):
    with capture_mails() as mails:
        known = client.post("/accounts/signup/", CAROL | {"email": "Alice@microblog.example"})
    with capture_mails():
        unknown = type(client)().post("/accounts/signup/", CAROL | {"username": "dave"})
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


def test_an_address_that_somebody_merely_wants_is_free(client, alice, capture_mails):
    EmailAddress.objects.create(user=alice, email=CAROL["email"])
    with capture_mails() as mails:
        client.post("/accounts/signup/", CAROL)
    client.post(link(mails[0], "confirm-email"))
    assert User.objects.get(username="carol").confirmed_email == CAROL["email"]
    assert alice.confirmed_email == alice.email


@pytest.mark.parametrize(
    ("field", "value", "words"),
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
def test_bad_input_is_refused_in_words(client, alice, field, value, words):
    typed = CAROL | (
        {"password1": value, "password2": value} if field == "password1" else {field: value}
    )
    response = client.post("/accounts/signup/", typed)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert User.objects.count() == 1


def test_whoever_is_signed_in_has_no_need_to(client, alice):
    client.force_login(alice)
    assert client.get("/accounts/signup/").url == "/"


@pytest.mark.parametrize("key", ["nonsense", "MQ:1:2"])
def test_a_bad_link_says_so(client, key):
    response = client.get(f"/accounts/confirm-email/{key}/")
    assert "does not work any more" in response.content.decode()
    assert client.post(f"/accounts/confirm-email/{key}/").status_code == 404


def test_whoever_confirms_first_has_the_address(client, alice, capture_mails):
    """Carol claims an address and never confirms it; Alice shows that it is hers."""
    with capture_mails():
        client.post("/accounts/signup/", CAROL)
    address = EmailAddress.objects.create(user=alice, email=CAROL["email"])
    client.force_login(alice)
    with capture_mails():
        client.post(f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/")
    assert User.objects.get(pk=alice.pk).confirmed_email == CAROL["email"]
    assert User.objects.get(username="carol").email == ""
