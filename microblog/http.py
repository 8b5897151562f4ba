"""Kinds of requests, and redirects that stay on this site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from blog.models import User


class AuthenticatedRequest(HttpRequest):
    """Request of a view behind `login_required`."""

    user: User


def is_fragment_request(request: HttpRequest) -> bool:
    return "X-Fragment" in request.headers  # sent by fragment.js


def is_same_site(request: HttpRequest, url: str) -> bool:
    """Return whether `url` is an absolute path of this site.

    `redirect` would take a string without a slash for the name of a view.
    """
    has_allowed_host = url_has_allowed_host_and_scheme(
        url, {request.get_host()}, require_https=request.is_secure()
    )
    return url.startswith("/") and has_allowed_host


def safe_next_url(request: HttpRequest, default: str) -> str:
    """Return the form's `next` URL if it stays on this site, else `default` (open redirects)."""
    url = request.POST.get("next", "")
    return url if is_same_site(request, url) else default
