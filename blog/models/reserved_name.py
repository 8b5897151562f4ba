"""Names of deleted accounts, which nobody can take for a year."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

RETENTION = timedelta(days=365)
SALT = "blog.reserved_name"


class ReservedNameQuerySet(models.QuerySet["ReservedName"]):
    def reserve(self, name: str) -> None:
        """Reserve the name of an account that is being deleted, for a year from now."""
        self.update_or_create(
            digest=_digest(name, settings.SECRET_KEY),
            defaults={"expires_at": timezone.now() + RETENTION},
        )

    def is_reserved(self, name: str) -> bool:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        digests = [_digest(name, key) for key in keys]
        return self.filter(digest__in=digests, expires_at__gt=timezone.now()).exists()

    def expired(self) -> ReservedNameQuerySet:
        return self.filter(expires_at__lte=timezone.now())


class ReservedName(models.Model):
    """Name of a deleted account. Only someone with the key can tell which name it was."""

    # HMAC-SHA256 of the lower-case name in hex, with a key derived from SECRET_KEY.
    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField()

    objects = ReservedNameQuerySet.as_manager()

    class Meta:
        indexes = [
            # The removal of expired names.
            models.Index(fields=["expires_at"], name="blog_reservedname_expiry")
        ]

    def __str__(self) -> str:
        return self.digest


def _digest(name: str, key: str) -> str:
    return salted_hmac(SALT, name.lower(), secret=key, algorithm="sha256").hexdigest()
