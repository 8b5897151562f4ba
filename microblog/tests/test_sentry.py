"""What is struck out of an event before it leaves; test_integration_watch.py sends some for real."""

import json

import pytest

from microblog import request_ids
from microblog.sentry import redact_event

# As the SDK makes them of a line, and of an error.
EVENTS = [
    {"logentry": {"message": "Opened /accounts/password/reset/key/1-SECRET/", "params": []}},
    {
        "logentry": {
            "message": "No answer from %s",
            "params": ("redis://user:SECRET@broker:6379/0", 3, None),
        }
    },
    {"logentry": {"message": "%(what)s", "params": {"what": "Authorization: Bearer SECRET"}}},
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
def test_nothing_in_it_opens_an_account(event):
    assert "SECRET" not in json.dumps(redact_event(event, {}))


def test_what_opens_nothing_stays():
    event = {"logentry": {"message": "Export %s failed %d times", "params": ["7", 3]}}
    assert redact_event(event, {})["logentry"] == {
        "message": "Export %s failed %d times",
        "params": ["7", "3"],
    }


def test_it_has_the_id_of_the_request():
    request_ids.activate("a-request")
    assert redact_event({}, {})["tags"] == {"request_id": "a-request"}
