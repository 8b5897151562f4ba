"""Sign-ups and confirmations at the same time: one succeeds, the others get an answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from django.db import connections
from django.test import Client

from blog.accounts.allauth_internals import SECRET_SESSION_KEY
from blog.models import User
from blog.tests.accounts.test_mfa import current_code, open_enrolment_link
from blog.tests.accounts.test_signup import SIGNUP_DATA
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SECRET = "JBSWY3DPEHPK3PXP"


def at_once(requests):
    """Send all requests at the same time; return the status codes."""
    barrier = Barrier(len(requests))

    def send(request):
        try:
            barrier.wait()
            return request().status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(pool.map(send, requests))


def test_same_name_signs_up_six_times_at_once(db):
    def sign_up(number):
        names = {"username": "Carol" if number % 2 else "carol"}
        email = {"email": f"carol{number}@microblog.example"}
        return lambda: Client().post("/accounts/signup/", SIGNUP_DATA | names | email)

    assert at_once([sign_up(number) for number in range(6)]) == [200] * 5 + [302]
    assert User.objects.filter(username__lower="carol").count() == 1
    assert EmailAddress.objects.count() == 1


def test_same_address_is_confirmed_by_several_at_once(db):
    urls = []
    for name in ("carol", "dora", "ella"):
        user = User.objects.create_user(name, "", PASSWORD, is_confirmed=False)
        address = EmailAddress.objects.create(user=user, email="c@microblog.example", primary=True)
        urls.append(f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/")
    statuses = at_once([lambda url=url: Client().post(url) for url in urls])
    assert statuses == [302] * 3
    assert EmailAddress.objects.filter(verified=True).count() == 1
    assert User.objects.filter(is_confirmed=True).count() == 1


def test_two_step_verification_is_turned_on_once(alice):
    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    open_enrolment_link(client, alice)
    session = client.session
    session[SECRET_SESSION_KEY] = SECRET
    session.save()

    def turn_on():
        browser = Client()
        browser.cookies = client.cookies
        data = {"code": current_code(SECRET)}
        return browser.post("/accounts/2fa/totp/activate/", data)

    assert max(at_once([turn_on] * 3)) == 302
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_same_address_is_added_several_times_at_once(alice):
    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    def add():
        browser = Client()
        browser.cookies = client.cookies
        data = {"email": "new@microblog.example", "action_add": ""}
        return browser.post("/accounts/email/", data)

    assert max(at_once([add] * 4)) == 302
    assert EmailAddress.objects.filter(email="new@microblog.example").count() == 1
