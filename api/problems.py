"""Error responses as problem details (RFC 9457).

Their type is `about:blank`, so the title is the phrase of the HTTP status, in English. The detail
is in the reader's language.
"""

import json
from collections.abc import Iterable, Mapping
from http.client import responses
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django_stubs_ext import StrOrPromise
from ninja.errors import ValidationError

Errors = Iterable[tuple[str, StrOrPromise]]

CONTENT_TYPE = "application/problem+json"

# Details by HTTP status.
DETAILS = {
    400: _("The request body must be JSON encoded as UTF-8."),
    401: _(
        "Send a valid token: “Authorization: Bearer mb_…”. Create one under Settings, API tokens."
    ),
    403: _("You don't have permission to do this."),
    404: _("There's nothing at this address. Check it, including the final slash."),
    405: _("This address doesn't support that method; see the Allow header."),
    409: _("This has changed in the meantime."),
    413: _("The request is too large."),
    422: _("One or more fields are invalid; see “errors”."),
    429: _("Please wait for the number of seconds in Retry-After."),
    500: _("Something went wrong on our side. Please try again later."),
    503: _("Please try again later."),
}
# Phrases of RFC 9110. Those of Python depend on its version: before 3.13 they are older.
PHRASES = responses | {413: "Content Too Large", 422: "Unprocessable Content"}

# By type of pydantic error: pydantic's own messages exist in English only.
VALIDATION_MESSAGES = {
    "missing": _("This field is required."),
    "string_type": _("This must be a string."),
    "extra_forbidden": _("Unknown field."),
}
DEFAULT_VALIDATION_MESSAGE = _("This value is invalid.")


class ApiError(Exception):
    """Error that is answered with a problem. `errors` are pairs of field name and message."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        errors: Errors = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.response = problem_response(status, detail, errors, headers)
        super().__init__(status, detail)


def problem_response(
    status: int,
    detail: str = "",
    errors: Errors = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    default_detail = DETAILS.get(status) or DETAILS[400 if status < 500 else 500]
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": PHRASES[status],
        "status": status,
        "detail": detail or str(default_detail),
    }
    if field_errors := [{"field": field, "detail": str(message)} for field, message in errors]:
        content["errors"] = field_errors
    return HttpResponse(
        json.dumps(content), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {})
    )


def handle_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error.response


def handle_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer 422 for input that does not match its schema."""
    errors = [
        (
            _field_name(detail["loc"]),
            VALIDATION_MESSAGES.get(detail["type"], DEFAULT_VALIDATION_MESSAGE),
        )
        for detail in error.errors
    ]
    return problem_response(422, errors=errors)


def _field_name(location: tuple[Any, ...]) -> str:
    """Extract the field from `("body", "data", "about_me")` or `("query", "before")`."""
    return ".".join(str(part) for part in location[2 if location[0] == "body" else 1 :])


def require_valid(form: forms.BaseForm) -> None:
    """Raise ApiError 422 with the form's own messages if it is invalid."""
    if not form.is_valid():
        raise ApiError(
            422,
            errors=[
                (field, str(message))
                for field, messages in form.errors.items()
                for message in messages
            ],
        )


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    return problem_response(404)
