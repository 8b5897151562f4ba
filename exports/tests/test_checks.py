import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from exports.checks import shared_services, timings, watching, webhooks


def ids():
    return [error.id for error in shared_services()]


def test_one_machine_may_keep_everything_to_itself():
    assert ids() == []


def test_several_need_shared_archives_database_and_broker(settings, monkeypatch):
    settings.SEVERAL_HOSTS = True
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert ids() == ["exports.E001", "exports.E002", "exports.E003"]


def test_with_all_three_shared_there_is_nothing_to_say(settings, monkeypatch):
    settings.SEVERAL_HOSTS = True
    settings.EXPORT_BUCKET = "archives"
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    settings.REDIS_URL = "redis://broker:6379/0"
    assert ids() == []


@pytest.mark.django_db
def test_a_release_is_refused_where_archives_would_get_lost(settings):
    """As on Heroku without a bucket: the release migrates, and does not get that far."""
    settings.SEVERAL_HOSTS = True
    with pytest.raises(SystemCheckError, match="EXPORT_BUCKET"):
        call_command("migrate", "--no-input", skip_checks=False)


def test_each_error_names_its_cure(settings):
    settings.SEVERAL_HOSTS = True
    assert all(error.hint for error in shared_services())


def test_the_defaults_are_sound():
    assert timings() == []


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("EXPORT_LEASE_SECONDS", 1.9, "exports.E004"),
        ("EXPORT_TICK_SECONDS", 5, "exports.E004"),
        ("EXPORT_TICK_SECONDS", 0, "exports.E005"),
        ("EXPORT_MAX_RATE", -1, "exports.E005"),
        ("EXPORT_JOB_TIMEOUT", 0, "exports.E005"),
    ],
)
def test_numbers_that_cannot_work_are_named(settings, name, value, error):
    setattr(settings, name, value)
    assert error in [each.id for each in timings()]


def told(check):
    return [each.id for each in check()]


def test_mails_metrics_and_webhooks_are_sound_as_they_come():
    assert told(watching) == told(webhooks) == []


@pytest.mark.parametrize("backend", ["nowhere.Backend", "anymail.backends.postmark.EmailBackend"])
def test_a_mail_server_that_cannot_be_set_up_is_named_at_start(settings, backend):
    settings.EMAIL_BACKEND = backend
    settings.ANYMAIL = {}
    assert told(watching) == ["exports.E006"]


def test_the_variable_that_a_provider_lacks_is_named(settings):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    assert "ANYMAIL_POSTMARK_SERVER_TOKEN" in watching()[0].msg


def test_an_address_of_admins_that_is_none_is_named(settings):
    settings.ADMINS = [("", "you@microblog.example"), ("", "you")]
    assert told(watching) == ["exports.E007"]


@pytest.mark.parametrize(("token", "ids"), [("", []), ("short", ["exports.E008"]), ("x" * 16, [])])
def test_a_token_that_can_be_guessed_is_named(settings, token, ids):
    settings.METRICS_TOKEN = token
    assert told(watching) == ids


@pytest.mark.parametrize(
    ("secret", "ids"),
    [
        ("name:a-long-password", []),
        (["name:a-long-password", "other:a-long-password"], []),
        ("a-long-secret-without-a-name", ["exports.E009"]),
        ("a:b", ["exports.E009"]),
        (["name:a-long-password", "a:b"], ["exports.E009"]),
        (True, ["exports.E009"]),
    ],
)
def test_a_webhook_secret_that_would_never_match_is_named(settings, secret, ids):
    settings.ANYMAIL = {"WEBHOOK_SECRET": secret}
    assert told(watching) == ids


def test_a_provider_that_nobody_listens_to_is_named_before_deploying(settings):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    assert told(webhooks) == ["exports.W001"]
    settings.ANYMAIL = {"WEBHOOK_SECRET": "name:a-long-password"}
    assert told(webhooks) == []
