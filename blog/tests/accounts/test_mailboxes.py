"""Daily limits on the mails that anybody can have sent to a mailbox."""

import math

import pytest

from blog.accounts.mailboxes import normalize_mailbox
from blog.models import AccountMail
from blog.tests.accounts.test_signup import SIGNUP_DATA
from microblog.cache import FailOpenRedisCache

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DAILY = 10


@pytest.fixture(autouse=True)
def other_limits_off(settings):
    """Leave the limits per mailbox alone: the others end after a minute, and per IP address."""
    off = dict.fromkeys(("reset_password", "signup", "login", "confirm_email", "manage_email"))
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | off


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("Carol@Microblog.example", "carol@microblog.example"),
        ("carol+news@microblog.example", "carol@microblog.example"),
        ("carol+a+b@microblog.example", "carol@microblog.example"),
        ("c.a.r.o.l+x@gmail.com", "carol@gmail.com"),
        ("carol@googlemail.com", "carol@gmail.com"),
        ("c.arol@microblog.example", "c.arol@microblog.example"),
        ("+carol@microblog.example", "+carol@microblog.example"),
        ('"a@b"@microblog.example', '"a@b"@microblog.example'),
    ],
)
def test_mailbox_has_one_spelling(address, mailbox):
    assert normalize_mailbox(address) == mailbox


def reset(client, email):
    return client.post("/accounts/password/reset/", {"email": email})


def sign_up(client, number, email):
    data = SIGNUP_DATA | {"username": f"carol{number}", "email": email}
    return type(client)().post("/accounts/signup/", data)


@pytest.mark.parametrize("email", ["nobody@microblog.example", "alice@microblog.example"])
def test_resets_are_limited(client, alice, email):
    answers = {(reset(client, email).status_code, reset(client, email).url) for _ in range(DAILY)}
    assert answers == {(302, "/accounts/password/reset/done/")}
    assert AccountMail.objects.filter(to=email).count() == DAILY


def test_sign_ups_with_tagged_addresses_are_limited(client):
    for number in range(DAILY + 3):
        assert sign_up(client, number, f"carol+{number}@microblog.example").status_code == 302
    assert AccountMail.objects.count() == DAILY


def test_sign_ups_with_known_address_and_sign_ins_are_limited(client, alice):
    for number in range(DAILY):
        assert sign_up(client, number, "ALICE+x@microblog.example").status_code == 302
    for _ in range(3):
        assert sign_up(client, "x", alice.email).status_code in (200, 302)
        data = {"login": "carol1", "password": SIGNUP_DATA["password1"]}
        assert client.post("/accounts/login/", data).url == "/accounts/confirm-email/"
    assert AccountMail.objects.count() == DAILY


def test_changes_of_address_and_enrolment_are_limited(reauthenticated_client, alice):
    for number in range(DAILY + 3):
        email = f"bob+{number}@microblog.example"
        reauthenticated_client.post("/accounts/email/", {"email": email, "action_add": ""})
    assert AccountMail.objects.filter(to__startswith="bob").count() == DAILY
    alice.emailaddress_set.filter(verified=False).delete()
    for _ in range(DAILY + 3):
        reauthenticated_client.post("/accounts/2fa/totp/activate/")
    assert AccountMail.objects.filter(to=alice.email).count() == DAILY


def test_other_mails_do_not_use_up_resets(client, alice):
    for number in range(DAILY + 3):
        sign_up(client, number, alice.email)
    AccountMail.objects.all().delete()
    reset(client, alice.email)
    assert AccountMail.objects.get().subject == "[Microblog] Reset your password"


def test_mailboxes_are_limited_each(client):
    for number in range(DAILY + 3):
        reset(client, f"somebody{number}@microblog.example")
    assert AccountMail.objects.count() == DAILY + 3


def test_limit_holds_without_cache(client, alice, monkeypatch):
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", math.inf)
    for _ in range(DAILY + 3):
        reset(client, alice.email)
    assert AccountMail.objects.count() == DAILY
