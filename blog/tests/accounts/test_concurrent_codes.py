"""The same code in several sessions at the same time: one of them gets in."""

import pytest
from django.test import Client

from blog.accounts.allauth_internals import TOTP, RecoveryCodes
from blog.tests.accounts.test_concurrent_sign_ups import SECRET, at_once
from blog.tests.accounts.test_mfa import current_code
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.mark.parametrize("kind", ["authenticator app", "recovery code"])
def test_code_lets_one_of_four_sessions_in(alice, kind):
    TOTP.activate(alice, SECRET)
    codes = RecoveryCodes.activate(alice)
    code = current_code(SECRET) if kind == "authenticator app" else codes.get_unused_codes()[0]

    def prepare():
        client = Client()
        client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        return lambda: client.post("/accounts/2fa/authenticate/", {"code": code})

    assert at_once([prepare() for _ in range(4)]) == [200, 200, 200, 302]
