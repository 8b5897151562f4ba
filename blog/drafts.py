"""Form data of users whose session has expired, carried through the sign-in page.

The text stays in the browser, in a hidden field of the sign-in form, until the password was right.
So a visitor cannot fill the database with drafts.
"""

import json
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html

from microblog.http import is_fragment_request

from .models import MAX_IMPORTED_LENGTH

View = Callable[..., HttpResponse]

SESSION_KEY = "draft"
MAX_FIELDS = 3
MAX_FIELD_LENGTH = MAX_IMPORTED_LENGTH  # keeps sessions small: nobody types more
MAX_PATH_LENGTH = 200
MAX_ENCODED_LENGTH = 6 * MAX_FIELDS * MAX_FIELD_LENGTH + 1000  # JSON escapes in 6 characters
RETENTION_SECONDS = 3600


def login_required_with_draft(*fields: str, redirect_back: bool) -> Callable[[View], View]:
    """Require a signed-in user, and keep the posted `fields` until they have signed in.

    `redirect_back` returns to the view after signing in; False for views that accept POST only.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated:
                return view(request, *args, **kwargs)
            draft = _encode(request, fields)
            if draft and not is_fragment_request(request):
                return _sign_in_page(request, draft, request.path if redirect_back else "")
            return redirect_to_login(request.path) if redirect_back else redirect("account_login")

        return wrapped

    return decorate


def _encode(request: HttpRequest, fields: Iterable[str]) -> str:
    typed = {
        name: request.POST[name][:MAX_FIELD_LENGTH] for name in fields if request.POST.get(name)
    }
    return json.dumps({"path": request.path, "typed": typed}, ensure_ascii=False) if typed else ""


def _sign_in_page(request: HttpRequest, draft: str, next_path: str) -> HttpResponse:
    from .accounts.forms import LoginForm  # imports this module

    context = {
        "form": LoginForm(request=request, initial={"draft": draft}),
        "redirect_field": next_path
        and format_html('<input type="hidden" name="next" value="{}">', next_path),
        "signup_url": reverse("account_signup"),
    }
    response = render(request, "account/login.html", context, status=401)
    add_never_cache_headers(response)
    return response


def keep(request: HttpRequest, encoded: str) -> None:
    """Move the draft from the sign-in form to the session; ignore anything else."""
    try:
        draft = json.loads(encoded)
        path, typed = draft["path"][:MAX_PATH_LENGTH], draft["typed"]
        fields = {name: text[:MAX_FIELD_LENGTH] for name, text in list(typed.items())[:MAX_FIELDS]}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    if all(isinstance(text, str) for text in (path, *fields.values())):
        until = int(time.time()) + RETENTION_SECONDS
        request.session[SESSION_KEY] = {"path": path, "typed": fields, "until": until}


def pop(request: HttpRequest, path: str) -> dict[str, str]:
    """Remove the draft of the form at `path` from the session and return it as initial data."""
    draft = request.session.get(SESSION_KEY)
    if draft is None:
        return {}
    is_expired = draft.get("until", 0) < time.time()
    if not is_expired and draft.get("path") != path:
        return {}
    del request.session[SESSION_KEY]
    typed: dict[str, str] = draft["typed"]
    return {} if is_expired else typed
