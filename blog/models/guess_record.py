"""Counts of wrong passwords and codes while the cache is unavailable."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone


class GuessRecordQuerySet(models.QuerySet["GuessRecord"]):
    def expired(self) -> GuessRecordQuerySet:
        return self.filter(expires_at__lte=timezone.now())

    def unexpired(self) -> GuessRecordQuerySet:
        return self.filter(expires_at__gt=timezone.now())

    def add(self, digest: str, value: Any, expires_at: datetime) -> bool:
        """Create the record and return True; return False if there is an unexpired one."""
        self.expired().delete()
        defaults = {"value": value, "expires_at": expires_at}
        return self.get_or_create(digest=digest, defaults=defaults)[1]

    def upsert(self, digest: str, value: Any, expires_at: datetime) -> None:
        self.bulk_create(
            [GuessRecord(digest=digest, value=value, expires_at=expires_at)],
            update_conflicts=True,
            unique_fields=["digest"],
            update_fields=["value", "expires_at"],
        )


class GuessRecord(models.Model):
    """Entry of `blog.accounts.guess_cache.GuessCache`."""

    # SHA-256 of the cache key in hex, because a key can contain an IP address.
    digest = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField()

    objects = GuessRecordQuerySet.as_manager()

    class Meta:
        indexes = [
            # The removal of expired records.
            models.Index(fields=["expires_at"], name="blog_guessrecord_expiry")
        ]

    def __str__(self) -> str:
        return self.digest
