"""Errors go to Sentry too, without what people typed and without who they are."""

from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.rq import RqIntegration

from . import request_ids
from .logs import redact

if TYPE_CHECKING:
    from sentry_sdk._types import Event, Hint


def start(dsn: str, environment: str, release: str) -> None:
    """Report this process's errors from now on, and those of the processes that it forks.

    Who a person is, their cookies and their headers are left out by the SDK, as long as it is not told otherwise.
    """
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release or None,
        integrations=[DjangoIntegration(), RqIntegration()],
        max_request_body_size="never",
        include_local_variables=False,  # they hold posts, addresses and keys
        max_breadcrumbs=0,  # they hold parameters of queries
        before_send=without_secrets,
    )


def without_secrets(event: "Event", hint: "Hint") -> "Event":
    """The event with its request id, and with nothing in its words that opens an account."""
    event.setdefault("tags", {})["request_id"] = request_ids.current() or "-"
    request = event.get("request", {})
    request.pop("query_string", None)
    request.pop("cookies", None)
    if "url" in request:
        request["url"] = redact(str(request["url"]))
    for error in event.get("exception", {}).get("values", []):
        error["value"] = redact(str(error.get("value", "")))
    if "logentry" in event:
        event["logentry"] = _redacted(event["logentry"])  # a line, and what was put into it
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(part) for part in value]
    return redact(str(value)) if value is not None else None
