import json
import logging
import sys

import pytest
from django.apps import apps
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import path

from dev.stack import ROOT
from microblog import logs
from microblog.cache import FailOpenRedisCache

pytestmark = pytest.mark.sqlite


def record(message="Logged", *args, exc_info=None, name="exports"):
    record = logging.LogRecord(name, logging.ERROR, "x.py", 1, message, args, exc_info)
    record.request_id = "-"
    return record


def exc_info_of(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


SECRETS = [
    "http://testserver/accounts/password/reset/key/1-c0ffee-SECRET/",
    "Not Found: /accounts/confirm-email/MQ:1x:SECRET-_x/",
    "Authorization: Bearer SECRET",
    "authorization: basic SECRET==",
    "Cookie: sessionid=SECRET; csrftoken=SECRET",
    "{'sessionid': 'SECRET'}",
    "redis://user:SECRET@broker:6379/0",
    "GET /x/?token=SECRET&code=SECRET HTTP/1.1",
    "connection failed: password=SECRET host=db",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_in_no_line(text):
    for formatter in (logs.JsonFormatter(), logs.PlainFormatter()):
        assert "SECRET" not in formatter.format(record("%s", text))
        assert "SECRET" not in formatter.format(
            record("Failed", exc_info=exc_info_of(ValueError(text)))
        )


@pytest.mark.parametrize(
    "text",
    [
        "/exports/0b9f/",
        "Export 1 failed: DISK_FULL",
        "3 of 7 tokens",
        "http://testserver:8000/@alice/",
    ],
)
def test_text_without_secrets_is_unchanged(text):
    assert logs.redact(text) == text


def test_json_line_holds_any_text():
    line = logs.JsonFormatter().format(
        record('A "quoted"\nline \u2028 %s', "名", exc_info=exc_info_of(ValueError("no")))
    )
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["message"] == 'A "quoted"\nline \u2028 名'
    assert fields["exception"].endswith("ValueError: no")
    assert (fields["level"], fields["logger"]) == ("ERROR", "exports")


@pytest.mark.django_db
def test_access_log_has_route_instead_of_path(client, caplog):
    caplog.set_level(logging.INFO, logger="microblog.access")
    client.get("/accounts/password/reset/key/1-very-secret/?token=very-secret")
    [line] = [each for each in caplog.records if each.name == "microblog.access"]
    assert "very-secret" not in line.getMessage()
    assert line.route == "/accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$"
    fields = json.loads(logs.JsonFormatter().format(line))
    assert (fields["method"], fields["status"]) == ("GET", line.status)
    assert fields["milliseconds"] >= 0


def test_probes_are_not_logged(client, caplog):
    caplog.set_level(logging.INFO, logger="microblog.access")
    client.get("/healthz")
    assert not caplog.records


# Mails to ADMINS


def local_apps():
    """Return the apps of this project, without those that only the tests have."""
    configs = apps.get_app_configs()
    return [each for each in configs if (ROOT / each.name).is_dir()]


def fail(request):
    raise RuntimeError("broken view")


urlpatterns = [
    path("fail/", fail),
    path("fail/<int:number>/", lambda request, number: 1 // (number - number)),
]


@pytest.fixture
def admins(settings, empty_broker, monkeypatch):
    settings.ADMINS = [("", "admin@microblog.example")]
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", 0.0)


@pytest.fixture
def fail_requests(admins):
    """Request a page that raises, a number of times."""
    client = Client(raise_request_exception=False)

    def fail_requests(number, path="/fail/"):
        for _ in range(number):
            assert client.get(path).status_code == 500

    return fail_requests


def test_repeated_error_is_mailed_once(fail_requests):
    fail_requests(200)
    [message] = mail.outbox
    assert message.to == ["admin@microblog.example"]
    assert message.subject == "[Microblog] ERROR: Internal Server Error: /fail/"
    assert "RuntimeError: broken view" in message.body


def test_same_error_at_many_urls_is_mailed_once(fail_requests):
    for number in range(20):
        fail_requests(1, f"/fail/{number}/")
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("app", [config.name for config in local_apps()])
def test_errors_of_each_app_are_mailed(admins, app):
    logging.getLogger(f"{app}.somewhere").error("A task failed")
    assert [message.subject for message in mail.outbox] == ["[Microblog] ERROR: A task failed"]


def test_each_different_error_is_mailed(fail_requests):
    fail_requests(5)
    fail_requests(5, "/fail/1/")
    assert len(mail.outbox) == 2


def test_error_is_mailed_again_after_pause(fail_requests):
    fail_requests(2)
    for key in cache._cache.get_client().keys("*admin-mail:*"):  # type: ignore[attr-defined]
        cache._cache.get_client().delete(key)  # type: ignore[attr-defined]
    fail_requests(2)
    assert len(mail.outbox) == 2


def test_pause_follows_setting(fail_requests, settings):
    settings.ADMIN_MAIL_PAUSE = 77
    fail_requests(1)
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    [key] = client.keys("*admin-mail:*")
    assert 70 < client.ttl(key) <= 77


def test_mails_per_hour_are_limited(admins, settings):
    settings.ADMIN_MAIL_HOURLY = 7
    logger = logging.getLogger("exports.test")
    for number in range(50):
        logger.error(f"Error number {number}")
    assert len(mail.outbox) == 7


def test_every_error_is_mailed_without_cache(fail_requests, monkeypatch):
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", float("inf"))
    fail_requests(3)
    assert len(mail.outbox) == 3


def test_mail_has_no_form_data_or_cookies(fail_requests, admins):
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "a-very-secret-session"
    client.post(
        "/fail/?token=very-secret",
        {"password": "very-secret"},
        headers={"Authorization": "Bearer secret"},
    )
    [message] = mail.outbox
    assert "secret" not in message.body
    assert "secret" not in message.subject


def test_mail_subject_is_one_line(admins):
    logging.getLogger("exports.test").error("One\r\nTwo")
    assert mail.outbox[0].subject == "[Microblog] ERROR: One\\r"


def test_failing_mail_backend_raises_nothing(admins, settings):
    settings.EMAIL_BACKEND = "nowhere.Backend"
    logging.raiseExceptions, before = False, logging.raiseExceptions
    logging.getLogger("exports.test").error("Lost")
    logging.raiseExceptions = before


def test_json_line_omits_other_extra_fields():
    """Django adds the request, whose text contains the path and so the link of a reset."""
    made = record("Not Found")
    made.status, made.request = 404, "<WSGIRequest: GET '/accounts/password/reset/key/1-x-SECRET/'>"
    line = json.loads(logs.JsonFormatter().format(made))
    assert line["status"] == 404
    assert "request" not in line
