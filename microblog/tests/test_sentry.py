"""Redaction of events; integration/test_monitoring.py sends real ones."""

import json

import pytest

from microblog import request_ids
from microblog.sentry import redact_event

# Events as the SDK builds them for log records and errors.
EVENTS = [
    {"logentry": {"message": "Opened /accounts/password/reset/key/1-SECRET/", "params": []}},
    {
        "logentry": {
            "message": "No answer from %s",
            "params": ("redis://user:SECRET@broker:6379/0", 3, None),
        }
    },
    {"logentry": {"message": "%(header)s", "params": {"header": "Authorization: Bearer SECRET"}}},
    {
        "exception": {
            "values": [
                {"type": "OSError", "value": "postgres://microblog:SECRET@database/microblog"}
            ]
        }
    },
    {
        "request": {
            "url": "https://x.example/accounts/password/reset/key/1-SECRET/",
            "query_string": "code=SECRET",
        }
    },
]


@pytest.mark.parametrize("event", EVENTS)
def test_event_contains_no_secrets(event):
    assert "SECRET" not in json.dumps(redact_event(event, {}))


def test_event_without_secrets_is_unchanged():
    event = {"logentry": {"message": "Export %s failed %d times", "params": ["7", 3]}}
    assert redact_event(event, {})["logentry"] == {
        "message": "Export %s failed %d times",
        "params": ["7", "3"],
    }


def test_event_has_request_id():
    request_ids.activate("a-request")
    assert redact_event({}, {})["tags"] == {"request_id": "a-request"}
