"""Encryption of MFA secrets and new API tokens, with keys derived from SECRET_KEY."""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac

ENCRYPTED_PREFIX = "sealed:"  # values without it were stored before encryption was added
KEY_SALT = "blog.accounts.second-factor"  # part of every key: never change it


def encrypt(text: str) -> str:
    return ENCRYPTED_PREFIX + encryption_keys().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Decrypt `text`; return it unchanged if it has no ENCRYPTED_PREFIX.

    Raise InvalidToken if it was encrypted with none of the current keys.
    """
    if not text.startswith(ENCRYPTED_PREFIX):
        return text
    return encryption_keys().decrypt(text.removeprefix(ENCRYPTED_PREFIX)).decode()


def encryption_keys() -> MultiFernet:
    """Derive a key from SECRET_KEY, and one from each fallback for decryption only."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (salted_hmac(KEY_SALT, "", secret, algorithm="sha256").digest() for secret in secrets)
    return MultiFernet([Fernet(urlsafe_b64encode(digest)) for digest in digests])
