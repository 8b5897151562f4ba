"""What requests are, and what they ask for."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from .models import User


class AuthenticatedRequest(HttpRequest):
    """What views behind `login_required` are given."""

    user: User


def is_fragment_request(request: HttpRequest) -> bool:
    """Whether our own script asks, which puts a part of a page in place by itself."""
    return "X-Fragment" in request.headers


def is_same_site(request: HttpRequest, url: str) -> bool:
    """Whether it is a path of this site; anything without a slash `redirect` would take for the name of a view."""
    is_here = url_has_allowed_host_and_scheme(
        url, {request.get_host()}, require_https=request.is_secure()
    )
    return url.startswith("/") and is_here


def next_url(request: HttpRequest, default: str) -> str:
    """Where the form wants to lead, as long as that is on this site."""
    url = request.POST.get("next", "")
    return url if is_same_site(request, url) else default
