"""Rate limits per user and per IP address.

Counted in the cache, in fixed windows. While the cache is down, nothing is limited (fail open).
Guesses of passwords have limits of their own, in `blog.accounts.adapter`.
"""

import hashlib
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from blog.accounts.allauth_internals import get_client_ip

View = Callable[..., HttpResponse]


class Rate(NamedTuple):
    """Requests per window of `seconds`, for one user and for all users of one address."""

    per_user: int
    per_address: int
    seconds: int


RATES = {
    "post": Rate(per_user=30, per_address=120, seconds=600),
    "follow": Rate(per_user=60, per_address=240, seconds=600),
    "message": Rate(per_user=60, per_address=240, seconds=600),
    "search": Rate(per_user=60, per_address=240, seconds=300),
    "report": Rate(per_user=10, per_address=40, seconds=3600),
    "export": Rate(per_user=20, per_address=80, seconds=3600),
    "api": Rate(per_user=300, per_address=1200, seconds=300),
}


def consume(request: HttpRequest, action: str) -> int:
    """Count one request; return the seconds to wait if it is over a limit, else 0.

    A request over the user's limit does not count for the address, and vice versa.
    """
    rate = RATES[action]
    if not settings.RATE_LIMITS:
        return 0
    window, elapsed = divmod(int(time.time()), rate.seconds)
    address = get_client_ip(request)  # None behind a proxy that connects by a Unix socket
    limits = (
        {_cache_key(f"{action}:address:{address}:{window}"): rate.per_address} if address else {}
    )
    if request.user.is_authenticated:
        limits[_cache_key(f"{action}:person:{request.user.pk}:{window}")] = rate.per_user
    within_limit = [key for key, limit in limits.items() if _count(key, rate.seconds) <= limit]
    if len(within_limit) == len(limits):
        return 0
    for key in within_limit:
        _count(key, rate.seconds, -1)
    return rate.seconds - elapsed


def _cache_key(name: str) -> str:
    # Hashed, so that the cache stores no IP addresses.
    return f"rate:{hashlib.sha256(name.encode()).hexdigest()}"


def _count(key: str, seconds: int, delta: int = 1) -> int:
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key, delta)
    except ValueError:  # the key expired after `add`
        return delta


def rate_limited(action: str) -> Callable[[View], View]:
    """Respond with the "429 Too Many Requests" page when the action is over a limit.

    Not for forms with text: they call `consume` and show `error_message` next to the text.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if seconds := consume(request, action):
                return too_many_requests(request, seconds)
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    context = {"retry_message": error_message(seconds)}
    return with_retry_after(render(request, "429.html", context, status=429), seconds)


def with_retry_after(response: HttpResponse, seconds: int) -> HttpResponse:
    response["Retry-After"] = str(seconds)
    return response


def error_message(seconds: int) -> str:
    minutes = -(-seconds // 60)  # rounded up
    return ngettext(
        "That was too often. Please try again in a minute.",
        "That was too often. Please try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}
