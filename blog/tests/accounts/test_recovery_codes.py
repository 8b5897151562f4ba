"""Storage of recovery codes, and the pages that show them."""

import threading
from importlib import import_module

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.hashers import identify_hasher
from django.db import connections

from blog.accounts import encryption, recovery_codes
from blog.accounts.allauth_internals import TOTP, RecoveryCodes, generate_totp_secret
from blog.accounts.recovery_codes import HASHES, HashedRecoveryCodes
from blog.tests.accounts.test_mfa import recovery_codes as shown_codes
from blog.tests.accounts.test_mfa import secret
from conftest import PASSWORD

__all__ = ["secret"]  # a fixture

pytestmark = [pytest.mark.django_db]

PAGE = "/accounts/2fa/recovery-codes/"


@pytest.fixture
def codes(alice):
    TOTP.activate(alice, generate_totp_secret())
    return HashedRecoveryCodes.activate(alice)


def stored_data(user):
    return Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES).data


@pytest.fixture
def old_codes(alice):
    """Create codes as django-allauth does, of which one is used, and return them."""
    TOTP.activate(alice, generate_totp_secret())
    old = RecoveryCodes.activate(alice)
    found = old.generate_codes()
    assert old.validate_code(found[3])
    assert "seed" in stored_data(alice)
    return found


def test_each_code_is_stored_as_hash(codes, alice):
    data = stored_data(alice)
    assert data["migrated_codes"] == []
    assert data.keys() == {HASHES, "migrated_codes"}
    hashes = [encryption.decrypt(sealed) for sealed in data[HASHES]]
    assert len(set(hashes)) == len(codes.new_codes) == 10
    assert all(identify_hasher(hashed) for hashed in hashes)
    assert not any(code in str(hashes) + str(data) for code in codes.new_codes)


def test_each_code_works_once(codes, alice):
    stored = Authenticator.objects.get(pk=codes.instance.pk)
    for code in codes.new_codes[::4]:
        assert stored.wrap().validate_code(f"{code[:4]}-{code[4:]} ")
        assert not stored.wrap().validate_code(code)
    stored.refresh_from_db()
    assert len(stored.wrap().get_unused_codes()) == 7


@pytest.mark.parametrize("code", ["", "123456", "00000000", "null", "None", "✓" * 8, "1" * 5000])
def test_wrong_code_is_rejected(codes, code):
    assert not codes.validate_code(code)
    assert None not in codes.instance.data[HASHES]


def test_totp_code_is_not_hashed(codes, monkeypatch):
    monkeypatch.setattr(recovery_codes, "check_password", None)
    assert not codes.validate_code("123 456")


@pytest.mark.django_db(transaction=True)
def test_code_works_once_for_concurrent_requests(codes):
    code, results = codes.new_codes[0], []
    barrier = threading.Barrier(2)
    use = HashedRecoveryCodes._use

    def use_together(self, place, hashed):
        barrier.wait()
        return use(self, place, hashed)

    def validate():
        stored = Authenticator.objects.get(pk=codes.instance.pk).wrap()
        stored._use = lambda *args: use_together(stored, *args)
        results.append(stored.validate_code(code))
        connections.close_all()

    threads = [threading.Thread(target=validate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]


def test_migration_hashes_codes_that_are_left(old_codes, alice):
    migration = import_module("blog.migrations.0025_hash_recovery_codes")
    for _ in range(2):
        migration.hash_recovery_codes(apps, None)
    data = stored_data(alice)
    assert len(data[HASHES]) == 9
    assert "seed" not in data
    codes = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES).wrap()
    assert not codes.validate_code(old_codes[3])
    assert codes.validate_code(old_codes[4])


def test_codes_of_older_version_are_hashed_on_first_use(old_codes, alice, client):
    assert not HashedRecoveryCodes.activate(alice).new_codes
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    response = client.post("/accounts/2fa/authenticate/", {"code": old_codes[0]})
    assert response.status_code == 302
    assert [hashed is None for hashed in stored_data(alice)[HASHES]] == [True] + [False] * 8


def test_older_version_reads_that_no_code_is_left(codes):
    old = RecoveryCodes(Authenticator.objects.get(pk=codes.instance.pk))
    assert old.get_unused_codes() == []
    assert not old.validate_code(codes.new_codes[0])


def test_new_codes_are_shown_and_downloaded(reauthenticated_client, secret):
    shown = shown_codes(reauthenticated_client)
    assert len(shown) == 10
    assert shown_codes(reauthenticated_client) == shown  # reloading loses nothing
    assert reauthenticated_client.get(f"{PAGE}download/").content.decode().split() == shown
    stored = reauthenticated_client.session[recovery_codes.SESSION_KEY]
    assert not any(code in str(stored) for code in shown)


def test_used_code_is_not_shown(reauthenticated_client, secret, alice):
    first, *others = shown_codes(reauthenticated_client)
    assert alice.authenticator_set.get(type="recovery_codes").wrap().validate_code(first)
    assert shown_codes(reauthenticated_client) == others


def assert_hidden(client, number=10):
    page = client.get(PAGE).content.decode()
    assert f"You have {number} unused codes left." in page
    assert "<code>" not in page
    assert client.get(f"{PAGE}download/").status_code == 403
    assert f"You have {number} left." in client.get("/accounts/2fa/").content.decode()


def test_codes_are_hidden_after_ten_minutes(reauthenticated_client, secret, monkeypatch):
    monkeypatch.setattr(recovery_codes, "SHOWN_SECONDS", -1)
    assert_hidden(reauthenticated_client)
    assert recovery_codes.SESSION_KEY not in reauthenticated_client.session


def test_codes_are_hidden_in_other_sessions(reauthenticated_client, secret, alice):
    other = type(reauthenticated_client)()
    other.force_login(alice)
    other.post("/accounts/2fa/reauthenticate/", {"code": shown_codes(reauthenticated_client)[0]})
    assert_hidden(other, number=9)


def test_replaced_codes_are_not_shown(reauthenticated_client, secret, alice):
    alice.authenticator_set.get(type="recovery_codes").delete()
    HashedRecoveryCodes.activate(alice)
    assert_hidden(reauthenticated_client)
