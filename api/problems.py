"""What goes wrong, as problem details (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django_stubs_ext import StrOrPromise
from ninja.errors import ValidationError

Errors = Iterable[tuple[str, StrOrPromise]]

CONTENT_TYPE = "application/problem+json"

# The phrase of each status, and what to do about it.
PROBLEMS = {
    400: (_("Bad request"), _("This could not be read. A body must be JSON in UTF-8.")),
    401: (
        _("Not signed in"),
        _(
            "Send a token that counts, as “Authorization: Bearer mb_…”. You make them in your settings."
        ),
    ),
    403: (_("Not allowed"), _("You may not do this.")),
    404: (_("Not found"), _("There is nothing here.")),
    405: (_("Wrong method"), _("This address answers other methods: “Allow” names them.")),
    409: (_("Conflict"), _("Things have moved on meanwhile.")),
    422: (_("Not valid"), _("Something in it is not right: “errors” says what.")),
    429: (_("Too often"), _("Please wait as long as “Retry-After” says.")),
    500: (
        _("Our mistake"),
        _("Something went wrong on our side. We have been told about it."),
    ),
    503: (_("Not now"), _("Please try again later.")),
}

# pydantic's own words are English.
FLAWS = {
    "missing": _("This is needed."),
    "string_type": _("This must be a text."),
    "extra_forbidden": _("There is no such field."),
}
FLAW = _("This is not valid.")


class Refusal(Exception):
    """Answers with a problem; `errors` are pairs of a field's name and what is wrong with it."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        errors: Errors = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.response = problem(status, detail, errors, headers)
        super().__init__(status, detail)


def problem(
    status: int,
    detail: str = "",
    errors: Errors = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    title, advice = PROBLEMS.get(status) or PROBLEMS[400 if status < 500 else 500]
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": str(title),
        "status": status,
        "detail": detail or str(advice),
    }
    if flaws := [{"field": field, "detail": str(flaw)} for field, flaw in errors]:
        content["errors"] = flaws
    return HttpResponse(
        json.dumps(content), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {})
    )


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return refusal.response


def mistyped(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What has the wrong shape, before any form looks at it."""
    return problem(
        422, errors=[(_field(flaw["loc"]), FLAWS.get(flaw["type"], FLAW)) for flaw in error.errors]
    )


def _field(place: tuple[Any, ...]) -> str:
    """`("body", "data", "about_me")` and `("query", "before")` to the name of the field."""
    return ".".join(str(part) for part in (place[2:] if place[0] == "body" else place[1:]))


def check(form: forms.BaseForm) -> None:
    """Refuse what a form of the site refuses, in its words."""
    if not form.is_valid():
        raise Refusal(
            422,
            errors=[
                (field, flaw) for field, flaws in form.errors.items() for flaw in map(str, flaws)
            ],
        )


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """The address of nothing."""
    return problem(404)
