"""Cache in the database that counts guesses while the Redis cache is unavailable."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.utils import timezone

from ..models import GuessRecord


class GuessCache(BaseCache):
    """Cache with the four operations that django-allauth's rate limits use.

    The database counts for all processes, so the limits stay exact. Values are JSON.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        return GuessRecord.objects.add(self._digest(key, version), value, self._expiry(timeout))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        records = GuessRecord.objects.unexpired().filter(digest=self._digest(key, version))
        value = records.values_list("value", flat=True).first()
        return default if value is None else value

    def set(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        GuessRecord.objects.upsert(self._digest(key, version), value, self._expiry(timeout))

    def delete(self, key: str, version: int | None = None) -> bool:
        deleted, _ = GuessRecord.objects.filter(digest=self._digest(key, version)).delete()
        return bool(deleted)

    def _digest(self, key: str, version: int | None) -> str:
        return hashlib.sha256(self.make_key(key, version).encode()).hexdigest()

    def _expiry(self, timeout: Any) -> datetime:
        seconds: Any = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        expires_at: datetime = timezone.now() + timedelta(seconds=seconds)
        return expires_at
