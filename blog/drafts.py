"""Form data of users whose session has expired, kept until they have signed in again."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .models import MAX_IMPORTED_LENGTH

View = Callable[..., HttpResponse]

SESSION_KEY = "draft"
MAX_FIELD_LENGTH = MAX_IMPORTED_LENGTH  # keeps sessions small: nobody types more


def login_required_with_draft(*fields: str, redirect_back: bool) -> Callable[[View], View]:
    """Require a signed-in user, and keep the posted `fields` in the session until then.

    `redirect_back` returns to the view after signing in; False for views that accept POST only.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated:
                return view(request, *args, **kwargs)
            _save(request, fields)
            return redirect_to_login(request.path) if redirect_back else redirect("account_login")

        return wrapped

    return decorate


def _save(request: HttpRequest, fields: Iterable[str]) -> None:
    typed = {
        name: request.POST[name][:MAX_FIELD_LENGTH] for name in fields if request.POST.get(name)
    }
    if typed:
        request.session[SESSION_KEY] = {"path": request.path, "typed": typed}
        messages.info(request, _("Please sign in. What you wrote is kept."))


def pop(request: HttpRequest, path: str) -> dict[str, str]:
    """Remove the draft of the form at `path` from the session and return it as initial data."""
    if request.session.get(SESSION_KEY, {}).get("path") != path:
        return {}
    typed: dict[str, str] = request.session.pop(SESSION_KEY).get("typed", {})
    return typed
