"""Paths and names of any kind on their way through URLs."""

import os
from pathlib import Path

import pytest
import redis

from microblog import addresses

pytestmark = pytest.mark.sqlite

FOLDERS = [
    "/srv/plain",
    "/srv/a blank",
    "/srv/a#b",
    "/srv/100%25 ?&=+;,",
    "/srv/\"double\" 'single' `back`",
    "/srv/$HOME ~ {a,b} [c] *",
    "/srv/Bücher/日本語/مجلد",
    "/srv/line\nbreak\ttab",
    "/srv/@host:80//twice",
    "/srv/" + "long" * 60,
    os.fsdecode(b"/srv/\xff\xfe"),
]
UNCHANGED = ("/srv/plain", "/srv/@host:80//twice")


@pytest.mark.parametrize("folder", FOLDERS)
def test_sqlite_url_keeps_every_path(folder):
    path = f"{folder}/db.sqlite3"
    assert addresses.parse_database(addresses.sqlite_url(path))["NAME"] == path


@pytest.mark.parametrize("folder", FOLDERS)
def test_broker_socket_suits_redis_clients(folder):
    socket = addresses.broker_socket(Path(folder))
    url = addresses.socket_url(socket)
    addresses.check_redis_url(url)
    assert redis.Redis.from_url(url).get_connection_kwargs()["path"] == str(socket)
    assert addresses.socket_from_url(url) == socket
    assert (socket == Path(folder) / "valkey.sock") == (folder in UNCHANGED)


def test_broker_sockets_of_two_folders_differ():
    sockets = {addresses.broker_socket(Path(folder)) for folder in FOLDERS}
    assert len(sockets) == len(FOLDERS)


def test_odd_temporary_folder_is_not_used_for_sockets(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/srv/odd folder")
    assert addresses.broker_socket(Path("/srv/a b")).is_relative_to("/tmp")  # noqa: S108


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://Microblog.Example/", "https://microblog.example"),
        ("https://microblog.example:443", "https://microblog.example"),
        ("http://microblog.example:80", "http://microblog.example"),
        ("http://microblog.example:443", "http://microblog.example:443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[2001:DB8:0:0::1]", "http://[2001:db8::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://日本.example:8443", "https://xn--wgv71a.example:8443"),
        ("http://my_host", "http://my_host"),
    ],
)
def test_site_url_is_written_as_browsers_do(url, expected):
    assert addresses.parse_site(url).url == expected


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("http://127.0.0.1:8000", "localhost"),
        ("http://[::1]", "localhost"),
    ],
)
def test_sender_domain_is_never_an_ip_address(url, domain):
    assert addresses.parse_site(url).mail_domain == domain


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nonsense", "nonsense"),
        ("postgres://user:secret@host/name", "postgres://...@host/name"),
        ("postgres//user:se@cret@host", "...@host"),
        ("redis://host?password=secret", "redis://host?..."),
        ("smtp://:sec?ret@host", "smtp://...@host"),
    ],
)
def test_redacted_url_has_no_password(url, shown):
    assert addresses.redact_url(url) == shown


def test_cache_database_goes_before_that_of_url():
    for url in ("redis://host/2", "redis://host?db=2", "unix:///run/valkey.sock?db=2"):
        connection = redis.Redis.from_url(addresses.redis_url(url, db=1)).get_connection_kwargs()
        assert (connection["db"], addresses.redis_database(url)) == (1, 2)


def test_timeouts_of_redis_url_are_kept():
    url = addresses.redis_url("redis://:a%23b%3F@host:1/2?socket_timeout=9", socket_timeout=1)
    connection = redis.Redis.from_url(url).get_connection_kwargs()
    assert connection["socket_timeout"] == 9
    assert connection["socket_connect_timeout"] == 1
    assert (connection["password"], connection["db"]) == ("a#b?", 2)


@pytest.mark.parametrize(
    ("url", "port", "starttls", "tls"),
    [
        ("smtp://mail.example", 25, False, False),
        ("smtp+tls://mail.example", 587, True, False),
        ("smtp+ssl://mail.example", 465, False, True),
        ("smtp+ssl://mail.example:4650", 4650, False, True),
    ],
)
def test_mail_server_has_port_of_its_scheme(url, port, starttls, tls):
    settings = addresses.parse_mail_server(url)
    assert settings["EMAIL_PORT"] == port
    assert (settings["EMAIL_USE_TLS"], settings["EMAIL_USE_SSL"]) == (starttls, tls)


def test_mail_password_may_have_any_character():
    settings = addresses.parse_mail_server("smtp://me%40a.example:%23%3F%25%20%C3%BC@mail.example")
    assert settings["EMAIL_HOST_USER"] == "me@a.example"
    assert settings["EMAIL_HOST_PASSWORD"] == "#?% ü"


def test_postgresql_url_is_parsed():
    database = addresses.parse_database("postgres:///microblog?host=/run/postgresql")
    assert database["NAME"] == "microblog"
    assert database["OPTIONS"] == {"host": "/run/postgresql"}
    assert addresses.parse_database("postgresql://me:p%23w@host:5433/db")["PASSWORD"] == "p#w"
