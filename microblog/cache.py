"""A cache that is allowed to be away: throttles then let people through, and the log says so."""

import functools
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A sign-in asks a dozen times: one that hangs must not be waited for each time.
RESPITE_SECONDS = 10


def _fail_open(name: str, answer: Any) -> Callable[..., Any]:
    original = getattr(RedisCache, name)

    @functools.wraps(original)
    def method(self: "FailOpenRedisCache", *args: Any, **kwargs: Any) -> Any:
        if monotonic() >= self.away_until:
            try:
                return original(self, *args, **kwargs)
            except RedisError as error:
                logger.warning(
                    "Cache is away, and is left alone for %d s: %s", RESPITE_SECONDS, error
                )
                type(self).away_until = monotonic() + RESPITE_SECONDS
        default = kwargs.get("default", args[1] if len(args) > 1 else None)
        return default if name == "get" else answer

    return method


class FailOpenRedisCache(RedisCache):
    """Django's Redis cache, answering "nothing stored" while the broker cannot be reached."""

    away_until = 0.0  # on the monotonic clock, for all of this process

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
