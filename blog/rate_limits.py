"""Rate limits per user and per IP address, an IPv6 address by its /64 network.

Counted in the cache, in fixed windows. While the cache is down, nothing is limited (fail open).
Guesses of passwords and codes have limits of their own, in `blog.accounts.adapter`, which hold
without the cache as well.
"""

import hashlib
import time
from collections.abc import Callable
from functools import wraps
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from blog.accounts.allauth_internals import get_client_ip, truncate_ip

View = Callable[..., HttpResponse]


class Rate(NamedTuple):
    """Requests per window of `seconds`, for one user and for all users of one address."""

    per_user: int
    per_address: int
    seconds: int
    cache: str = "default"


RATES = {
    "post": Rate(per_user=30, per_address=120, seconds=600),
    "follow": Rate(per_user=60, per_address=240, seconds=600),
    "message": Rate(per_user=60, per_address=240, seconds=600),
    "search": Rate(per_user=60, per_address=240, seconds=300),
    "report": Rate(per_user=10, per_address=40, seconds=3600),
    "import": Rate(per_user=20, per_address=80, seconds=3600),
    "export": Rate(per_user=20, per_address=80, seconds=3600),
    "api": Rate(per_user=300, per_address=1200, seconds=300),
    # A page polls once a second at most. Each process counts for itself.
    "poll": Rate(per_user=300, per_address=3000, seconds=60, cache="process"),
}


def consume(request: HttpRequest, action: str) -> int:
    """Count one request; return the seconds to wait if it is over a limit, else 0.

    A request over the user's limit does not count for the address, and vice versa.
    """
    rate = RATES[action]
    if not settings.RATE_LIMITS:
        return 0
    window, elapsed = divmod(int(time.time()), rate.seconds)
    limits = {}
    if network := client_network(request):
        limits[_cache_key(f"{action}:address:{network}:{window}")] = rate.per_address
    if request.user.is_authenticated:
        limits[_cache_key(f"{action}:person:{request.user.pk}:{window}")] = rate.per_user
    cache = caches[rate.cache]
    within_limit = [
        key for key, limit in limits.items() if _count(cache, key, rate.seconds) <= limit
    ]
    if len(within_limit) == len(limits):
        return 0
    for key in within_limit:
        _count(cache, key, rate.seconds, delta=-1)
    return rate.seconds - elapsed


def client_address(request: HttpRequest) -> str | None:
    """Return the client's IP address; None behind a proxy that connects by a Unix socket.

    An IPv4 address that a dual-stack socket maps to IPv6 is returned as IPv4: otherwise all of
    IPv4 would be one /64. A zone ("%eth0") is removed.
    """
    text = get_client_ip(request)
    if text is None:
        return None
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address))
    return str(address)


def client_network(request: HttpRequest) -> str | None:
    """Return the IPv4 address, or the /64 network: one customer has all its IPv6 addresses."""
    address = client_address(request)
    return address and str(truncate_ip(address))


def _cache_key(name: str) -> str:
    # Hashed, so that the cache stores no IP addresses.
    return f"rate:{hashlib.sha256(name.encode()).hexdigest()}"


def _count(cache: BaseCache, key: str, seconds: int, delta: int = 1) -> int:
    for _ in range(2):
        try:
            return cache.incr(key, delta)
        except ValueError:  # missing, expired, or not an integer
            cache.add(key, 0, seconds)
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
