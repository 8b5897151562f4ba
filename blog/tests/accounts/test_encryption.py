"""Encryption of MFA secrets in the database."""

import pytest
from allauth.mfa.models import Authenticator

from blog.accounts.allauth_internals import (
    TOTP,
    RecoveryCodes,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"


def accepts_current_codes(authenticator, secret=SECRET):
    """Return whether the authenticator accepts a current code of the secret."""
    return any(
        authenticator.validate_code(format_hotp_value(hotp_value(secret, counter)))
        for counter in yield_hotp_counters_from_time()
    )


def test_mfa_secrets_are_stored_encrypted(alice):
    totp, codes = TOTP.activate(alice, SECRET), RecoveryCodes.activate(alice)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in stored
    assert stored.count("sealed:") == 2
    assert accepts_current_codes(TOTP(Authenticator.objects.get(pk=totp.instance.pk)))
    assert codes.validate_code(codes.generate_codes()[0])


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
    totp, codes = TOTP.activate(alice, SECRET), RecoveryCodes.activate(alice)
    known_codes = codes.generate_codes()
    settings.SECRET_KEY = "another-key-that-guards-nothing-and-nobody"
    assert not accepts_current_codes(totp)
    assert not accepts_current_codes(totp, secret="")
    assert not set(codes.generate_codes()) & set(known_codes)
    assert "SECRET_KEY_FALLBACKS" in caplog.text
