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
    400: _("This could not be read. A body must be JSON in UTF-8."),
    401: _(
        "Send a token that counts, as “Authorization: Bearer mb_…”. You make them in your settings."
    ),
    403: _("You may not do this."),
    404: _("There is nothing here."),
    405: _("This address answers other methods: “Allow” names them."),
    409: _("Things have moved on meanwhile."),
    413: _("This is too large."),
    422: _("Something in it is not right: “errors” says what."),
    429: _("Please wait as long as “Retry-After” says."),
    500: _("Something went wrong on our side. We have been told about it."),
    503: _("Please try again later."),
}
# Phrases of RFC 9110. Those of Python depend on its version: before 3.13 they are older.
PHRASES = responses | {413: "Content Too Large", 422: "Unprocessable Content"}

# By type of pydantic error: pydantic's own messages exist in English only.
VALIDATION_MESSAGES = {
    "missing": _("This is needed."),
    "string_type": _("This must be a text."),
    "extra_forbidden": _("There is no such field."),
}
DEFAULT_VALIDATION_MESSAGE = _("This is not valid.")


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
