"""Settings from the environment; Anymail's providers as docs/operations.md describes them."""

import pkgutil
import re
from pathlib import Path

import anymail.backends
import anymail.urls
import pytest
from anymail.exceptions import AnymailConfigurationError
from django.core.mail import get_connection

from dev.stack import ROOT
from microblog.addresses import broker_socket, redis_url
from microblog.environment import anymail_settings

pytestmark = [
    pytest.mark.filterwarnings("ignore:django-anymail has dropped official support"),
    pytest.mark.sqlite,
]

NOT_PROVIDERS = {"base", "base_requests", "console", "test"} | {"sendinblue"}  # now Brevo
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


def test_each_provider_is_documented():
    known = {
        module.name for module in pkgutil.iter_modules(anymail.backends.__path__)
    } - NOT_PROVIDERS
    assert DOCUMENTED.keys() == known


@pytest.mark.parametrize("provider", sorted(DOCUMENTED))
def test_documented_variables_are_sufficient(settings, provider):
    assert connect(settings, provider, DOCUMENTED[provider][0])


@pytest.mark.parametrize(
    ("provider", "omitted"),
    [(name, variable) for name, (needed, _) in sorted(DOCUMENTED.items()) for variable in needed],
)
def test_each_documented_variable_is_required(settings, provider, omitted):
    others = [name for name in DOCUMENTED[provider][0] if name != omitted]
    with pytest.raises(AnymailConfigurationError, match=omitted):
        connect(settings, provider, others)


@pytest.mark.parametrize("provider", sorted(DOCUMENTED))
def test_documented_webhook_exists(provider):
    routes = {
        f"`/anymail/{pattern.pattern}`"
        for pattern in anymail.urls.urlpatterns
        if "tracking" in str(pattern.pattern)
    }
    webhook = DOCUMENTED[provider][1]
    assert webhook in routes or (
        webhook == "none" and not any(provider in route for route in routes)
    )


def test_values_are_converted_for_anymail():
    converted = anymail_settings(
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
    assert converted == {
        "IGNORE_RECIPIENT_STATUS": True,
        "DEBUG_API_REQUESTS": False,
        "SEND_DEFAULTS": {"tags": ["export"]},
        "WEBHOOK_SECRET": ["one:secret", "two:secret"],
        "MAILJET_API_KEY": "0042",
        "MAILJET_SECRET_KEY": "{not json",
    }


def test_broker_socket_of_long_folder_is_temporary():
    long_folder = Path("/var") / ("x" * 100)
    assert broker_socket(Path("/var/microblog")) == Path("/var/microblog/valkey.sock")
    assert len(str(broker_socket(long_folder))) < 100
    assert broker_socket(long_folder) == broker_socket(long_folder)


def test_redis_url_has_timeouts():
    assert redis_url("redis://broker") == (
        "redis://broker?socket_timeout=2&socket_connect_timeout=1"
    )
    assert redis_url("redis://broker?db=3", socket_timeout=1).endswith(
        "?socket_timeout=1&socket_connect_timeout=1&db=3"
    )
