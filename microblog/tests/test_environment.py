"""Every provider that Anymail knows, set up as docs/operations.md says: by the environment alone."""

import pkgutil
import re

import anymail.backends
import anymail.urls
import pytest
from anymail.exceptions import AnymailConfigurationError
from django.core.mail import get_connection

from dev.stack import ROOT
from microblog.environment import anymail_settings

pytestmark = [
    pytest.mark.filterwarnings("ignore:django-anymail has dropped official support"),
    pytest.mark.sqlite,
]

NOT_PROVIDERS = {
    "base",
    "base_requests",
    "console",
    "test",
    "sendinblue",
}  # the last is Brevo's old name
ROW = re.compile(
    r"^\| `anymail\.backends\.(\w+)\.EmailBackend` \| ([^|]*) \| ([^|]*) \|", re.MULTILINE
)
VARIABLE = re.compile(r"`(ANYMAIL_\w+)`")

DOCUMENTED = {
    name: (VARIABLE.findall(needed), webhook.strip())
    for name, needed, webhook in ROW.findall((ROOT / "docs" / "operations.md").read_text())
}


def environment(variables):
    return {
        name: "https://mail.example/api/" if name.endswith("_URL") else "0123456789"
        for name in variables
    }


def connect(settings, provider, variables):
    settings.ANYMAIL = anymail_settings(environment(variables))
    return get_connection(f"anymail.backends.{provider}.EmailBackend")


def test_each_is_documented():
    known = {
        module.name for module in pkgutil.iter_modules(anymail.backends.__path__)
    } - NOT_PROVIDERS
    assert DOCUMENTED.keys() == known


@pytest.mark.parametrize("provider", sorted(DOCUMENTED))
def test_what_is_documented_is_enough(settings, provider):
    assert connect(settings, provider, DOCUMENTED[provider][0])


@pytest.mark.parametrize(
    ("provider", "left_out"),
    [(name, each) for name, (needed, _) in sorted(DOCUMENTED.items()) for each in needed],
)
def test_and_nothing_of_it_is_too_much(settings, provider, left_out):
    others = [name for name in DOCUMENTED[provider][0] if name != left_out]
    with pytest.raises(AnymailConfigurationError, match=left_out):
        connect(settings, provider, others)


@pytest.mark.parametrize("provider", sorted(DOCUMENTED))
def test_its_webhook_is_there_if_it_has_one(provider):
    routes = {
        f"`/anymail/{pattern.pattern}`"
        for pattern in anymail.urls.urlpatterns
        if "tracking" in str(pattern.pattern)
    }
    webhook = DOCUMENTED[provider][1]
    assert webhook in routes or (
        webhook == "none" and not any(provider in route for route in routes)
    )


def test_values_become_what_anymail_expects():
    read = anymail_settings(
        {
            "ANYMAIL_IGNORE_RECIPIENT_STATUS": "True",
            "ANYMAIL_DEBUG_API_REQUESTS": "false",
            "ANYMAIL_SEND_DEFAULTS": '{"tags": ["export"]}',
            "ANYMAIL_WEBHOOK_SECRET": '["one:secret", "two:secret"]',
            "ANYMAIL_MAILJET_API_KEY": "0042",
            "ANYMAIL_MAILJET_SECRET_KEY": "{not json",
            "OTHER": "thing",
        }
    )
    assert read == {
        "IGNORE_RECIPIENT_STATUS": True,
        "DEBUG_API_REQUESTS": False,
        "SEND_DEFAULTS": {"tags": ["export"]},
        "WEBHOOK_SECRET": ["one:secret", "two:secret"],
        "MAILJET_API_KEY": "0042",
        "MAILJET_SECRET_KEY": "{not json",
    }
