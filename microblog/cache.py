"""Redis cache that fails open: while it is unavailable, rate limits let requests through."""

import functools
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A sign-in makes a dozen cache calls, so a server that hangs must not time out for each of them.
RETRY_AFTER_SECONDS = 10


def _fail_open(name: str, fallback: Any) -> Callable[..., Any]:
    original = getattr(RedisCache, name)

    @functools.wraps(original)
    def method(self: "FailOpenRedisCache", *args: Any, **kwargs: Any) -> Any:
        if monotonic() >= self.unavailable_until:
            try:
                return original(self, *args, **kwargs)
            except RedisError as error:
                logger.warning("Cache unavailable; retry in %d s: %s", RETRY_AFTER_SECONDS, error)
                type(self).unavailable_until = monotonic() + RETRY_AFTER_SECONDS
        default = kwargs.get("default", args[1] if len(args) > 1 else None)
        return default if name == "get" else fallback

    return method


class FailOpenRedisCache(RedisCache):
    """Django's Redis cache, empty while the server is unavailable."""

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
