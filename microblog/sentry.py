"""Error reports to Sentry, without users' input and identities."""

from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.rq import RqIntegration

from . import request_ids
from .logs import redact

if TYPE_CHECKING:
    from sentry_sdk._types import Event, Hint


def init(dsn: str, environment: str, release: str) -> None:
    """Report errors of this process and of the processes that it forks.

    The SDK leaves out users, cookies and headers by default (`send_default_pii=False`).
    """
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release or None,
        integrations=[DjangoIntegration(), RqIntegration()],
        max_request_body_size="never",
        include_local_variables=False,  # they hold posts, addresses and keys
        max_breadcrumbs=0,  # they hold parameters of queries
        before_send=redact_event,
    )


def redact_event(event: "Event", hint: "Hint") -> "Event":
    event.setdefault("tags", {})["request_id"] = request_ids.current() or "-"
    request = event.get("request", {})
    request.pop("query_string", None)
    request.pop("cookies", None)
    if "url" in request:
        request["url"] = redact(str(request["url"]))
    for error in event.get("exception", {}).get("values", []):
        error["value"] = redact(str(error.get("value", "")))
    if "logentry" in event:
        event["logentry"] = _redact_all(event["logentry"])  # the message and its parameters
    return event


def _redact_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redact_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_all(item) for item in value]
    return redact(str(value)) if value is not None else None
