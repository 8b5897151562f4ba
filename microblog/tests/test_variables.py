"""Environment variables: each wrong value is refused with one sentence that names it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack import ROOT
from microblog.environment import Environment, InvalidVariable

pytestmark = pytest.mark.sqlite

KEY = "$a value, that 'is' \"taken\" as it is \\ #1"

# Reading of a variable as `microblog.settings` does it, and values that it must refuse.
WRONG = [
    ("integer", {"minimum": 0, "maximum": 9, "default": 1}, ["", "abc", "-1", "10", "1.5", "5 s"]),
    (
        "number",
        {"minimum": 0.5, "maximum": 9, "default": 1},
        ["", "abc", "0.4", "-1", "nan", "inf", "1,5", "5s", "$OTHER"],
    ),
    ("boolean", {"default": False}, ["", "ture", "2", "maybe", "$OTHER"]),
    ("choice", {"default": "a", "choices": ["a", "b"]}, ["", "c", "a b"]),
    ("text", {"default": "a"}, ["", "two\nlines", "a\x00b"]),
    ("text", {"pattern": r"/\w*", "allowed": "a path"}, ["archives", "/a b", "/a\n"]),
    ("addresses", {}, ["nobody", "Foo <a@b.example>", "a@b.example,nobody", "a@b.example;c@d.e"]),
    (
        "sender",
        {"default": "a@b.example"},
        [
            "",
            "nobody",
            "Foo, Inc. <a@b.example>",
            "a@b.example, c@d.example",
            "a@b.example\nBcc: c",
        ],
    ),
    (
        "hosts",
        {"default": []},
        [
            "",
            " , ",
            "https://a.example",
            "a.example:80",
            "a/b",
            "a b",
            "-a.example",
            "a..b",
            "[::g]",
        ],
    ),
    (
        "site",
        {"default": "http://localhost"},
        [
            *("", "nonsense", "ftp://a.example", "https://", "https:///path", "//a.example"),
            *("https://a.example/path", "https://a.example?b", "https://a.example#b"),
            *("https://user@a.example", "https://a.example:port", "https://a.example:0"),
            *("https://a.example:65536", "https://a b.example", "http://[::1", "http://[::g]"),
            *(
                "https://a_.-b.example",
                "https://.example",
                "http://[fe80::1%25eth0]",
                "http://a.b ",
            ),
        ],
    ),
    (
        "database",
        {"default": Path("/nowhere")},
        [
            *("", "nonsense", "postgres", "postgres://", "postgres://host", "mysql://host/name"),
            *("sqlite:///relative", "sqlite:////folder/", "sqlite://host//db", "sqlite:////a?b"),
            *("sqlite:////a#b", "sqlite:////a b", "postgres://me:a#b@host/name"),
            *("postgres://me:a/b@host/name", "postgres://me:a?b@host/name", "postgres://h:x/name"),
        ],
    ),
    (
        "redis",
        {"default": "redis://localhost"},
        [
            *("", "nonsense", "redis", "redis://", "http://host", "redis://host/abc"),
            *("redis://host:port", "redis://host?db=x", "redis://host?nonsense=1"),
            *("redis://me:a#b@host", "unix://relative", "unix://", "unix:///a b", "unix:///a%20b"),
            *("rediss://host?ssl_cert_reqs=sometimes", "unix:///" + "long" * 30),
        ],
    ),
    (
        "mail_server",
        {},
        [
            *("", "nonsense", "smtps://mail.example", "http://mail.example", "smtp://"),
            *("smtp://mail.example:port", "smtp://user@mail.example", "smtp://me:a#b@mail.example"),
            *("smtp://mail.example?tls=true", "smtp+tls://mail.example/path"),
        ],
    ),
    (
        "sentry_dsn",
        {},
        ["nonsense", "https://sentry.example/1", "https://key@sentry.example/name", "key"],
    ),
]
CASES = [(method, options, value) for method, options, values in WRONG for value in values]


@pytest.mark.parametrize(("method", "options", "value"), CASES)
def test_wrong_value_is_named_in_one_sentence(method, options, value):
    environment = Environment({"VARIABLE": value})
    with pytest.raises(InvalidVariable) as error:
        getattr(environment, method)("VARIABLE", **options)
    message = str(error.value)
    assert re.fullmatch(r"VARIABLE is ('.*'|\".*\"|empty); it may be .*\.", message)
    assert "\n" not in message


@pytest.mark.parametrize("value", ["", "  ", "short", "a" * 60, "django-insecure-" + KEY])
def test_insecure_key_is_refused_and_not_shown(value):
    environment = Environment({"SECRET_KEY": value, "SECRET_KEY_FALLBACKS": value or "short"})
    for read in (environment.secret_key, environment.secret_keys):
        if value.isspace() and read == environment.secret_keys:
            continue
        name = "SECRET_KEY" if read == environment.secret_key else "SECRET_KEY_FALLBACKS"
        with pytest.raises(InvalidVariable, match=rf"^{name} is .* it may be a random") as error:
            read(name, default="insecure", is_strict=True)
        assert not value.strip() or value not in str(error.value)
        read(name, default="insecure", is_strict=False)


def test_values_are_taken_as_they_are():
    environment = Environment({"SECRET_KEY": KEY, "NAME": KEY, "OTHER": "other"})
    assert environment.secret_key("SECRET_KEY", default="insecure", is_strict=True) == KEY
    assert environment.text("NAME") == KEY


def test_password_of_wrong_url_is_not_shown():
    for method, value in [
        ("redis", "redis://:secret@host/abc"),
        ("mail_server", "smtps://user:secret@host"),
        ("sentry_dsn", "ftp://secret@host/1"),
    ]:
        options = {"default": ""} if method == "redis" else {}
        with pytest.raises(InvalidVariable) as error:
            getattr(Environment({"VARIABLE": value}), method)("VARIABLE", **options)
        assert "secret" not in str(error.value)


def test_lists_are_stripped():
    environment = Environment(
        {"HOSTS": " a.example , .B.example,*,[::1] ,bücher.example", "ADMINS": " a@b.example ,,"}
    )
    assert environment.hosts("HOSTS", default=[]) == [
        *("a.example", ".b.example", "*", "[::1]", "xn--bcher-kva.example"),
    ]
    assert environment.addresses("ADMINS") == ["a@b.example"]


@pytest.mark.parametrize(
    "sender", ["a@b.example", "Foo <a@b.example>", '"Foo, Inc." <a@b.example>', "Bü <a@localhost>"]
)
def test_sender_may_have_a_name(sender):
    assert Environment({"SENDER": sender}).sender("SENDER", default="") == sender


def test_folder_that_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for folder in ("file", "file/below", "loop", "long" * 100):
        with pytest.raises(InvalidVariable, match=r"^VAR_DIR is '.*'; it may be a folder"):
            Environment({"VAR_DIR": str(tmp_path / folder)}).folder("VAR_DIR", default=tmp_path)


def test_site_below_a_path_is_refused():
    with pytest.raises(InvalidVariable, match="SCRIPT_NAME is '/blog'"):
        Environment({"SCRIPT_NAME": "/blog"}).refuse_prefix("SCRIPT_NAME")
    Environment({"SCRIPT_NAME": ""}).refuse_prefix("SCRIPT_NAME")


# Real processes


def run_manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("DATABASE_URL", ""),
        ("REDIS_URL", "nonsense"),
        ("REDIS_CACHE_DB", "0"),
        ("EXPORT_LEASE_SECONDS", "abc"),
        ("EXPORT_KEEP_DAYS", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("SITE_URL", "ftp://x"),
        ("SCRIPT_NAME", "/blog"),
        ("EMAIL_URL", "smtps://user:password@mail.example"),
        ("EXPORT_BUCKET", "s3://bucket"),
        ("EXPORT_ACCEL_PREFIX", "archives"),
        ("SECURITY_CONTACT", "nobody"),
        ("WEB_CONCURRENCY", "many"),
    ],
)
def test_process_with_wrong_variable_prints_one_sentence(name, value):
    done = run_manage("sweeper", **{name: value})
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"{name} is .*; it may be .*\.\n", done.stderr)


@pytest.mark.integration
def test_site_with_wrong_variable_does_not_start():
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "microblog.wsgi", "--bind", "127.0.0.1:0"],
        cwd=ROOT,
        env=os.environ | {"SECRET_KEY": "short"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "SECRET_KEY is only 5 characters long; it may be a random value" in done.stderr


@pytest.mark.integration
def test_unusual_values_start_a_process():
    done = run_manage(
        "check",
        SECRET_KEY=KEY,
        SITE_URL="https://bücher.example",
        ALLOWED_HOSTS=" bücher.example , localhost ",
        DEFAULT_FROM_EMAIL='"Foo, Inc." <a@b.example>',
        EMAIL_URL="smtp+ssl://user:p%23ss@mail.example",
        REDIS_URL="unix:///run/valkey.sock?db=3",
        LOG_LEVEL="warning",
    )
    assert (done.returncode, done.stderr) == (0, "")
