from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections

from microblog import checks


def ids(check, **options):
    return [message.id for message in check(**options)]


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("https://microblog.test", "microblog.test", []),
        ("http://localhost:8000", "localhost", ["microblog.W001", "microblog.W002"]),
        ("https://127.0.0.1", "127.0.0.1", ["microblog.W001"]),
        ("https://[::1]", "[::1]", ["microblog.W001"]),
        ("https://microblog.example", "microblog.example", ["microblog.W001"]),
        ("https://www.example.com", "www.example.com", ["microblog.W001"]),
        ("https://my-example.com", "my-example.com", []),
        ("http://microblog.test", "microblog.test", ["microblog.W002"]),
    ],
)
def test_unreachable_site_url_is_reported(settings, url, host, expected):
    settings.SITE_URL, settings.SITE_HOST, settings.SECURE_SSL_REDIRECT = url, host, True
    assert ids(checks.check_site_url) == expected


def test_missing_contacts_are_reported(settings):
    settings.ADMINS, settings.SECURITY_CONTACT = [], ""
    assert ids(checks.check_contacts) == ["microblog.W003", "microblog.W004"]
    settings.ADMINS, settings.SECURITY_CONTACT = [("", "a@b.test")], "a@b.test"
    assert ids(checks.check_contacts) == []


def test_default_mail_server_is_reported(settings):
    settings.HAS_MAIL_SERVER = False
    assert ids(checks.check_mail_server) == ["microblog.W005"]
    settings.HAS_MAIL_SERVER = True
    assert ids(checks.check_mail_server) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://broker.test", ["microblog.W006"]),
        ("rediss://user@broker.test/1", ["microblog.W006"]),
        ("redis://:password@broker.test", []),
        ("redis://broker.test?password=password", []),
        ("unix:///run/redis/redis-server.sock", []),
    ],
)
def test_broker_without_password_is_reported(settings, url, expected):
    settings.REDIS_URL = url
    assert ids(checks.check_broker_password) == expected


@pytest.mark.django_db
def test_collation_and_encoding_of_database_pass():
    assert ids(checks.check_collation, databases=["default"]) == []


@contextmanager
def turkish_letters() -> Iterator[None]:
    """Shadow PostgreSQL's functions by those of a Turkish database.

    The PostgreSQL of the tests has no Turkish locale.
    """
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA turkish")
        cursor.execute(
            "CREATE FUNCTION turkish.lower(value text) RETURNS text IMMUTABLE LANGUAGE sql AS "
            "$$ SELECT pg_catalog.lower(replace(value, 'I', 'ı')) $$"
        )
        cursor.execute("SET LOCAL search_path = turkish, pg_catalog, public")
        yield


@pytest.mark.postgres
@pytest.mark.django_db
def test_migrate_refuses_turkish_database():
    with turkish_letters():
        assert ids(checks.check_collation, databases=["default"]) == ["microblog.E001"]
        with pytest.raises(SystemCheckError, match="collation of the database"):
            call_command("migrate", "--no-input", skip_checks=False)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_database_with_other_encoding_is_reported():
    name = "microblog_ascii"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    other = connection.copy()
    other.settings_dict = {**connection.settings_dict, "NAME": name}
    try:
        connections["ascii"] = other
        assert ids(checks.check_collation, databases=["ascii"]) == ["microblog.E002"]
    finally:
        other.close()
        del connections["ascii"]
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
