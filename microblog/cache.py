"""Redis cache that stores JSON only, and that the site can do without.

While the server is unavailable, the cache is empty and rate limits let requests through (fail
open). Only the counts of guesses are kept, by the `guesses` cache in the database.
"""

import functools
import json
import logging
import math
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError, ResponseError

logger = logging.getLogger(__name__)

# A sign-in makes a dozen cache calls, so a server that hangs must not time out for each of them.
RETRY_AFTER_SECONDS = 10
# Keys of django-allauth: rate limits of sign-in, codes, reauthentication and password reset; codes
# that were used already.
GUESS_PREFIXES = ("allauth:rl:", "allauth.mfa.totp.used?")
WRONG_TYPE_ERRORS = (
    "WRONGTYPE",
    "value is not an integer",
    "increment or decrement would overflow",
)


class JSONSerializer:
    """Serializer of integers, booleans, strings and lists of numbers.

    The site and django-allauth store nothing else. Django's own serializer opens pickles, so
    whoever can write to the server could run code in every process of the site.
    """

    def dumps(self, value: Any) -> str:
        if not is_storable(value):
            raise TypeError(f"The cache cannot store {value!r}.")
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        """Return the value. Raise ValueError for anything that `dumps` cannot have written."""
        try:
            value = json.loads(data)
        except RecursionError as error:
            raise ValueError("The JSON is nested too deeply.") from error
        if not is_storable(value):
            raise ValueError("The JSON is of another type.")
        return value


def is_storable(value: Any) -> bool:
    if isinstance(value, list):
        return all(type(item) is int or is_finite_float(item) for item in value)
    return isinstance(value, int | str)  # bool is a subclass of int


def is_finite_float(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


class JSONRedisCache(RedisCache):
    """Django's Redis cache with JSON values. A value that is not valid counts as missing."""

    get_many = BaseCache.get_many  # calls `get` for each key

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            value = super().get(key, default, version)
        except (ValueError, ResponseError) as error:
            if isinstance(error, ResponseError) and not _is_wrong_type(error):
                raise
            self._discard(key, version)
            return default
        if isinstance(default, list) and not isinstance(value, list):
            self._discard(key, version)
            return default
        return value

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        if super().add(key, value, timeout, version):
            return True
        is_missing = self.get(key, version=version) is None  # removes a value that is not valid
        return is_missing and super().add(key, value, timeout, version)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raise ValueError if the key is missing, as in Django's other caches."""
        try:
            return int(super().incr(key, delta, version))
        except ResponseError as error:
            if not _is_wrong_type(error):
                raise
            self._discard(key, version)
            raise ValueError(f"Key {key!r} has no integer.") from error

    def _discard(self, key: str, version: int | None) -> None:
        # Log last: mails about log records use the cache, and may find the same value.
        self.delete(key, version)
        logger.warning("The cache value of %s is not valid and was removed.", key)


def _is_wrong_type(error: ResponseError) -> bool:
    return str(error).startswith(WRONG_TYPE_ERRORS)


def _fail_open(name: str, fallback: Any) -> Callable[..., Any]:
    """Wrap a cache method so that it returns `fallback` while the server is unavailable.

    Counts of guesses go to the `guesses` cache instead.
    """
    original = getattr(JSONRedisCache, name)

    @functools.wraps(original)
    def method(self: "FailOpenRedisCache", *args: Any, **kwargs: Any) -> Any:
        if monotonic() >= self.unavailable_until:
            try:
                return original(self, *args, **kwargs)
            except RedisError as error:
                logger.warning("Cache unavailable; retry in %d s: %s", RETRY_AFTER_SECONDS, error)
                type(self).unavailable_until = monotonic() + RETRY_AFTER_SECONDS
        if args and str(args[0]).startswith(GUESS_PREFIXES):
            return getattr(caches["guesses"], name)(*args, **kwargs)
        default = kwargs.get("default", args[1] if len(args) > 1 else None)
        return default if name == "get" else fallback

    return method


class FailOpenRedisCache(JSONRedisCache):
    """JSON cache that is empty while the server is unavailable, except for counts of guesses."""

    unavailable_until = 0.0  # on the monotonic clock, for all instances in this process

    add = _fail_open("add", True)
    get = _fail_open("get", None)
    set = _fail_open("set", None)
    touch = _fail_open("touch", False)
    delete = _fail_open("delete", False)
    get_many = _fail_open("get_many", {})
    set_many = _fail_open("set_many", [])
    delete_many = _fail_open("delete_many", None)
    has_key = _fail_open("has_key", False)
    incr = _fail_open("incr", 1)
    clear = _fail_open("clear", False)
