"""Encryption of MFA secrets in the database."""

import pytest
from allauth.mfa.models import Authenticator

from blog.accounts.allauth_internals import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from blog.accounts.recovery_codes import HashedRecoveryCodes

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"


def accepts_current_codes(authenticator, secret=SECRET):
    """Return whether the authenticator accepts a current code of the secret."""
    return any(
        authenticator.validate_code(format_hotp_value(hotp_value(secret, counter)))
        for counter in yield_hotp_counters_from_time()
    )


def test_totp_secret_is_stored_encrypted(alice):
    totp = TOTP.activate(alice, SECRET)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in stored
    assert stored.count("sealed:") == 1
    assert accepts_current_codes(TOTP(Authenticator.objects.get(pk=totp.instance.pk)))


def test_unencrypted_mfa_secret_still_works(alice):
    row = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.TOTP, data={"secret": SECRET}
    )
    assert accepts_current_codes(TOTP(row))


def test_fallback_key_decrypts_older_mfa_secret(alice, settings):
    totp = TOTP.activate(alice, SECRET)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-that-guards-nothing-and-nobody"
    assert accepts_current_codes(totp)


def test_no_code_is_accepted_without_the_key(alice, settings, caplog):
    totp, codes = TOTP.activate(alice, SECRET), HashedRecoveryCodes.activate(alice)
    settings.SECRET_KEY = "another-key-that-guards-nothing-and-nobody"
    assert not accepts_current_codes(totp)
    assert not accepts_current_codes(totp, secret="")
    assert not any(map(codes.validate_code, codes.new_codes))
    assert "SECRET_KEY_FALLBACKS" in caplog.text
