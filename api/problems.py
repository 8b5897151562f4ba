"""Error responses as problem details (RFC 9457).

Their type is `about:blank`, so the title is the phrase of the HTTP status, in English. The detail
is in the reader's language.
"""

import json
from collections.abc import Iterable, Mapping
from http.client import responses
from itertools import islice
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django_stubs_ext import StrOrPromise
from ninja.errors import ValidationError

from blog.pagination import InvalidCursor

if TYPE_CHECKING:
    from .schemas import InputSchema

Errors = Iterable[tuple[str, StrOrPromise]]

CONTENT_TYPE = "application/problem+json"

MAX_ERRORS = 20  # of one answer
MAX_FIELD_LENGTH = 64  # characters of the name of an unknown field

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
    416: _("The requested range is beyond the end of the file."),
    422: _("One or more fields are invalid; see “errors”."),
    429: _("Please wait for the number of seconds in Retry-After."),
    500: _("Something went wrong on our side. Please try again later."),
    503: _("Please try again later."),
}
# Phrases of RFC 9110. Those of Python depend on its version: before 3.13 they are older.
PHRASES = responses | {
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

# By type of pydantic error: pydantic's own messages exist in English only.
LONE_SURROGATE = _(
    "This contains an incomplete character (a lone surrogate), which can't be stored."
)
VALIDATION_MESSAGES = {
    "missing": _("This field is required."),
    "string_type": _("This must be a string."),
    "string_unicode": LONE_SURROGATE,
    "lone_surrogate": LONE_SURROGATE,
    "unknown_kind": _("Unknown kind of export."),
    "int_parsing": _("This must be a whole number."),
    "greater_than_equal": _("This number is too small."),
    "less_than_equal": _("This number is too large."),
}
INVALID_TIME = _("This must be a time with a time zone, such as 2026-11-23T10:00:00Z.")
DEFAULT_VALIDATION_MESSAGE = _("This value is invalid.")
UNKNOWN_FIELD = _("Unknown field.")
NOT_AN_OBJECT = _('The body must be a JSON object, such as {"body": "Hello"}.')
INVALID_CURSOR = _("This isn't a valid cursor. Don't construct it; follow “older”.")


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
    field_errors = [
        {"field": field[:MAX_FIELD_LENGTH], "detail": str(message)}
        for field, message in islice(errors, MAX_ERRORS)
    ]
    if field_errors:
        content["errors"] = field_errors
    return HttpResponse(
        json.dumps(content), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {})
    )


def handle_unreadable_body(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    """Answer a client that hung up; elsewhere `microblog.errors` does."""
    return problem_response(400)


def handle_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error.response


def handle_invalid_cursor(request: HttpRequest, error: InvalidCursor) -> HttpResponse:
    return problem_response(422, errors=[("before", INVALID_CURSOR)])


def handle_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer 422 for a body that is no object, or parameters that do not match their schema."""
    if any(detail["loc"][0] == "body" for detail in error.errors):
        return problem_response(422, str(NOT_AN_OBJECT))
    return problem_response(
        422,
        errors=[
            (".".join(map(str, detail["loc"][1:])), validation_message(detail["type"]))
            for detail in error.errors
        ],
    )


def validation_message(error_type: str) -> StrOrPromise:
    """Return the message for a type of pydantic error."""
    if error_type.startswith(("datetime", "timezone")):
        return INVALID_TIME
    return VALIDATION_MESSAGES.get(error_type, DEFAULT_VALIDATION_MESSAGE)


def require_valid(data: "InputSchema", form: forms.BaseForm | None = None) -> None:
    """Raise ApiError 422 with all errors: those of the schema, and the form's own messages.

    The form's messages about a field that the schema rejects would only repeat that.
    """
    errors = list(data.errors)
    names = {name for name, _message in errors}
    if form:
        errors += [
            (name, str(message))
            for name, messages in form.errors.items()
            if name not in names
            for message in messages
        ]
    if errors:
        raise ApiError(422, errors=errors)


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    return problem_response(404)
