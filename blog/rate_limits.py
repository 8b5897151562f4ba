"""How often a person, and an address, may do something.

Counted in the cache, by windows of the clock: nobody is held up while it is away. Guesses at passwords are counted by
`blog.accounts.adapter`.
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
    """How often a person may, how often all who share an address may, and in how many seconds."""

    person: int
    address: int
    seconds: int


RATES = {
    "post": Rate(30, 120, 600),
    "follow": Rate(60, 240, 600),
    "message": Rate(60, 240, 600),
    "search": Rate(60, 240, 300),
    "report": Rate(10, 40, 3600),
    "export": Rate(20, 80, 3600),
    "api": Rate(300, 1200, 300),
}


def wait(request: HttpRequest, what: str) -> int:
    """Count one more; the seconds to wait if that was too often, else 0.

    What is refused for a person's sake leaves their address its share, and the other way round.
    """
    rate = RATES[what]
    if not settings.RATE_LIMITS:
        return 0
    window, passed = divmod(int(time.time()), rate.seconds)
    address = get_client_ip(request)  # None behind a proxy on a unix socket that names none
    who = [(f"address:{address}", rate.address)] if address else []
    if request.user.is_authenticated:
        who.append((f"person:{request.user.pk}", rate.person))
    keys = {_key(f"{what}:{name}:{window}"): limit for name, limit in who}
    within = [key for key, limit in keys.items() if _count(key, rate.seconds) <= limit]
    if len(within) == len(keys):
        return 0
    for key in within:
        _count(key, rate.seconds, -1)
    return rate.seconds - passed


def _key(name: str) -> str:
    return f"rate:{hashlib.sha256(name.encode()).hexdigest()}"  # no address of anybody lies in the cache


def _count(key: str, seconds: int, by: int = 1) -> int:
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key, by)
    except ValueError:  # it ran out between the two
        return by


def limited(what: str) -> Callable[[View], View]:
    """Answer with a page that says when to come back, once a person or address has done it too often.

    Not for forms with text in them: they call `wait`, and show `message` beside what was typed.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if seconds := wait(request, what):
                return too_often(request, seconds)
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    return with_retry(render(request, "429.html", {"when": message(seconds)}, status=429), seconds)


def with_retry(response: HttpResponse, seconds: int) -> HttpResponse:
    """The response, with the header that says when to come back."""
    response["Retry-After"] = str(seconds)
    return response


def message(seconds: int) -> str:
    """What to do about it, in the person's language."""
    minutes = -(-seconds // 60)
    return ngettext(
        "That was too often. Please try again in a minute.",
        "That was too often. Please try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}
