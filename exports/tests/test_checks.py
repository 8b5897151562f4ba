import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from dev.object_store import BUCKET, ObjectStore
from exports.checks import (
    check_bounce_webhook,
    check_bucket_versioning,
    check_intervals,
    check_monitoring,
    check_shared_services,
)


def ids(check):
    return [message.id for message in check()]


def test_single_host_needs_no_shared_services():
    assert ids(check_shared_services) == []


def test_several_hosts_need_shared_services(settings, monkeypatch):
    settings.SEVERAL_HOSTS = True
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert ids(check_shared_services) == ["exports.E001", "exports.E002", "exports.E003"]


def test_several_hosts_with_shared_services_pass(settings, monkeypatch):
    settings.SEVERAL_HOSTS = True
    settings.EXPORT_BUCKET = "archives"
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    settings.REDIS_URL = "redis://broker:6379/0"
    assert ids(check_shared_services) == []


@pytest.mark.django_db
def test_migrate_fails_without_shared_archives(settings):
    """Test the release phase of Heroku, which runs migrate, without a bucket."""
    settings.SEVERAL_HOSTS = True
    with pytest.raises(SystemCheckError, match="EXPORT_BUCKET"):
        call_command("migrate", "--no-input", skip_checks=False)


def test_each_error_has_a_hint(settings):
    settings.SEVERAL_HOSTS = True
    assert all(error.hint for error in check_shared_services())


def test_default_intervals_pass():
    assert ids(check_intervals) == []


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("EXPORT_LEASE_SECONDS", 1.9, "exports.E004"),
        ("EXPORT_TICK_SECONDS", 5, "exports.E004"),
    ],
)
def test_invalid_interval_is_reported(settings, name, value, error):
    setattr(settings, name, value)
    assert error in ids(check_intervals)


def test_default_monitoring_settings_pass():
    assert ids(check_monitoring) == ids(check_bounce_webhook) == []


@pytest.mark.parametrize("backend", ["nowhere.Backend", "anymail.backends.postmark.EmailBackend"])
def test_broken_mail_backend_is_reported(settings, backend):
    settings.EMAIL_BACKEND = backend
    settings.ANYMAIL = {}
    assert ids(check_monitoring) == ["exports.E006"]


def test_missing_provider_variable_is_named(settings):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    assert "ANYMAIL_POSTMARK_SERVER_TOKEN" in check_monitoring()[0].msg


@pytest.mark.parametrize(
    ("token", "expected"), [("", []), ("short", ["exports.E008"]), ("x" * 16, [])]
)
def test_short_metrics_token_is_reported(settings, token, expected):
    settings.METRICS_TOKEN = token
    assert ids(check_monitoring) == expected


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("name:a-long-password", []),
        (["name:a-long-password", "other:a-long-password"], []),
        ("a-long-secret-without-a-name", ["exports.E009"]),
        ("a:b", ["exports.E009"]),
        (["name:a-long-password", "a:b"], ["exports.E009"]),
        (True, ["exports.E009"]),
    ],
)
def test_invalid_webhook_secret_is_reported(settings, secret, expected):
    settings.ANYMAIL = {"WEBHOOK_SECRET": secret}
    assert ids(check_monitoring) == expected


def test_missing_webhook_secret_is_reported_before_deployment(settings):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    assert ids(check_bounce_webhook) == ["exports.W001"]
    settings.ANYMAIL = {"WEBHOOK_SECRET": "name:a-long-password"}
    assert ids(check_bounce_webhook) == []


def test_wrong_mail_backend_is_named(settings):
    settings.EMAIL_BACKEND = "nowhere.Backend"
    assert check_monitoring()[0].msg.startswith("EMAIL_BACKEND is nowhere.Backend, which does not")


NONCURRENT = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}


@pytest.fixture
def bucket(tmp_path, settings, monkeypatch):
    """Start an object store and use its bucket for archives."""
    with ObjectStore(tmp_path) as store:
        for name, value in store.env.items():
            monkeypatch.setenv(name, value)
        settings.EXPORT_BUCKET = BUCKET
        settings.STORAGES = settings.STORAGES | {
            "archives": {
                "BACKEND": "storages.backends.s3.S3Storage",
                "OPTIONS": {"bucket_name": BUCKET},
            }
        }
        yield store.client()


def set_versioning(client, status):
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})


def set_lifecycle(client, **rule):
    rule = {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": ""}} | rule
    client.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
    )


@pytest.mark.integration
@pytest.mark.sqlite
def test_bucket_must_not_keep_deleted_archives(bucket):
    assert ids(check_bucket_versioning) == []
    for status in ("Enabled", "Suspended"):
        set_versioning(bucket, status)
        assert ids(check_bucket_versioning) == ["exports.E011"]

    for insufficient in (
        {"Status": "Disabled", **NONCURRENT},
        {"Filter": {"Prefix": "posts/"}, **NONCURRENT},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        {"Expiration": {"Days": 1}},
    ):
        set_lifecycle(bucket, **insufficient)
        assert ids(check_bucket_versioning) == ["exports.E011"]

    set_lifecycle(bucket, **NONCURRENT)
    assert ids(check_bucket_versioning) == []


@pytest.mark.integration
@pytest.mark.sqlite
def test_silent_bucket_is_reported(bucket, settings):
    settings.EXPORT_BUCKET = "missing-bucket"
    [warning] = check_bucket_versioning()
    assert warning.id == "exports.W002"
    assert "EXPORT_BUCKET is missing-bucket, which does not say" in warning.msg


def test_folder_of_archives_has_no_versions():
    assert ids(check_bucket_versioning) == []
