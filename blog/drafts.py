"""What somebody wrote while their session ended waits for them behind the sign-in."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .models import POST_LENGTH

View = Callable[..., HttpResponse]

KEY = "draft"
LONGEST = 20 * POST_LENGTH  # more than anybody types; a session is no place to store things


def login_required_with_draft(*fields: str, leads_back: bool) -> Callable[[View], View]:
    """`login_required` for a view that takes those fields.

    `leads_back` where its address can be opened after signing in.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated:
                return view(request, *args, **kwargs)
            _keep(request, fields)
            return redirect_to_login(request.path) if leads_back else redirect("account_login")

        return wrapped

    return decorate


def _keep(request: HttpRequest, fields: Iterable[str]) -> None:
    if typed := {name: request.POST[name][:LONGEST] for name in fields if request.POST.get(name)}:
        request.session[KEY] = {"path": request.path, "typed": typed}
        messages.info(request, _("Please sign in. What you wrote is kept."))


def take(request: HttpRequest, path: str) -> dict[str, str]:
    """A form's initial values: what was typed for that path, once."""
    if request.session.get(KEY, {}).get("path") != path:
        return {}
    typed: dict[str, str] = request.session.pop(KEY).get("typed", {})
    return typed
