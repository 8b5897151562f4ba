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


def record(message="Said", *args, exc_info=None, name="exports"):
    made = logging.LogRecord(name, logging.ERROR, "x.py", 1, message, args, exc_info)
    made.request_id = "-"
    return made


def caught(error):
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
def test_what_opens_an_account_is_in_no_line(text):
    for formatter in (logs.JsonFormatter(), logs.PlainFormatter()):
        assert "SECRET" not in formatter.format(record("%s", text))
        assert "SECRET" not in formatter.format(record("Failed", exc_info=caught(ValueError(text))))


@pytest.mark.parametrize(
    "text",
    [
        "/exports/0b9f/",
        "Export 1 failed: DISK_FULL",
        "3 of 7 tokens",
        "http://testserver:8000/@alice/",
    ],
)
def test_what_opens_nothing_stays(text):
    assert logs.redact(text) == text


def test_a_line_is_one_json_object_whatever_is_in_it():
    line = logs.JsonFormatter().format(
        record('A "quoted"\nline \u2028 %s', "名", exc_info=caught(ValueError("no")))
    )
    assert "\n" not in line
    read = json.loads(line)
    assert read["message"] == 'A "quoted"\nline \u2028 名'
    assert read["exception"].endswith("ValueError: no")
    assert (read["level"], read["logger"]) == ("ERROR", "exports")


@pytest.mark.django_db
def test_a_request_is_logged_by_its_route_without_what_is_in_it(client, caplog):
    caplog.set_level(logging.INFO)
    client.get("/accounts/password/reset/key/1-very-secret/?token=very-secret")
    [line] = [each for each in caplog.records if each.name == "microblog.access"]
    assert "very-secret" not in line.getMessage()
    assert line.route == "/accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$"
    read = json.loads(logs.JsonFormatter().format(line))
    assert (read["method"], read["status"]) == ("GET", line.status)
    assert read["milliseconds"] >= 0


def test_probes_leave_no_line(client, caplog):
    caplog.set_level(logging.INFO)
    client.get("/healthz")
    assert not caplog.records


# Mails to ADMINS


def local_apps():
    """Return the apps of this project, without those that only the tests have."""
    configs = apps.get_app_configs()
    return [each for each in configs if (ROOT / each.name).is_dir()]


def fail(request):
    raise RuntimeError("a stone in the works")


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
def storm(admins):
    """A site that fails, over and over."""
    browser = Client(raise_request_exception=False)

    def storm(number, address="/fail/"):
        for _ in range(number):
            assert browser.get(address).status_code == 500

    return storm


def test_a_storm_of_one_error_is_one_mail(storm):
    storm(200)
    [message] = mail.outbox
    assert message.to == ["admin@microblog.example"]
    assert message.subject == "[Microblog] ERROR: Internal Server Error: /fail/"
    assert "RuntimeError: a stone in the works" in message.body


def test_the_same_fault_at_many_addresses_is_one_error(storm):
    for number in range(20):
        storm(1, f"/fail/{number}/")
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("app", [config.name for config in local_apps()])
def test_errors_of_each_app_are_mailed(admins, app):
    logging.getLogger(f"{app}.somewhere").error("A task failed")
    assert [message.subject for message in mail.outbox] == ["[Microblog] ERROR: A task failed"]


def test_another_error_is_another_mail(storm):
    storm(5)
    storm(5, "/fail/1/")
    assert len(mail.outbox) == 2


def test_it_is_mailed_again_when_the_pause_is_over(storm):
    storm(2)
    for key in cache._cache.get_client().keys("*admin-mail:*"):  # type: ignore[attr-defined]
        cache._cache.get_client().delete(key)  # type: ignore[attr-defined]
    storm(2)
    assert len(mail.outbox) == 2


def test_the_pause_is_the_setting(storm, settings):
    settings.ADMIN_MAIL_PAUSE = 77
    storm(1)
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    [key] = client.keys("*admin-mail:*")
    assert 70 < client.ttl(key) <= 77


def test_however_many_different_errors_an_hour_has_a_limit(admins, settings):
    settings.ADMIN_MAIL_HOURLY = 7
    logger = logging.getLogger("exports.test")
    for number in range(50):
        logger.error(f"Error number {number}")
    assert len(mail.outbox) == 7


def test_without_a_cache_each_error_is_mailed(storm, monkeypatch):
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", float("inf"))
    storm(3)
    assert len(mail.outbox) == 3


def test_a_mail_holds_no_form_no_cookie_and_no_variable(storm, admins):
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a-very-secret-session"
    browser.post(
        "/fail/?token=very-secret",
        {"password": "very-secret"},
        headers={"Authorization": "Bearer secret"},
    )
    [message] = mail.outbox
    assert "secret" not in message.body
    assert "secret" not in message.subject


def test_a_subject_is_one_line(admins):
    logging.getLogger("exports.test").error("One\r\nTwo")
    assert mail.outbox[0].subject == "[Microblog] ERROR: One\\r"


def test_a_mail_that_cannot_be_sent_disturbs_nobody(admins, settings):
    settings.EMAIL_BACKEND = "nowhere.Backend"
    logging.raiseExceptions, before = False, logging.raiseExceptions
    logging.getLogger("exports.test").error("Lost")
    logging.raiseExceptions = before
