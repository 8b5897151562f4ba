"""deploy/migrate.sh on PostgreSQL, while a build holds a snapshot."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from conftest import database_url
from dev.stack import ROOT, Stack

pytestmark = pytest.mark.integration

LAST_BEFORE = ("blog", "0015_closed_accounts")  # 0016 changes blog_notification
READ = "SELECT * FROM blog_notification"


@pytest.fixture
def old_database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database that lacks the last migrations."""
    name = "microblog_old"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = database_url().replace(str(connection.settings_dict["NAME"]), name)
        with Stack(tmp_path / "stack", DATABASE_URL=url) as stack:
            stack.run("migrate", *LAST_BEFORE, "--verbosity", "0")
            yield url
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def start_migration(folder: Path, url: str, **variables: str) -> subprocess.Popen[str]:
    env_file = folder / "etc" / "microblog" / "env"
    env_file.parent.mkdir(parents=True)
    env_file.write_text(f"DATABASE_URL='{url}'\nVAR_DIR='{folder}'\n")
    return subprocess.Popen(
        [str(ROOT / "deploy" / "migrate.sh")],
        env=os.environ | {"DESTDIR": str(folder), "LOCK_TIMEOUT": "500ms"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_page(url: str) -> float:
    """Read the table as a page does, and return how long that takes, in seconds."""
    started_at = time.monotonic()
    with psycopg.connect(url) as reader:
        reader.execute(READ)
    return time.monotonic() - started_at


def begin_build(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """Hold the snapshot that a build reads from."""
    build = psycopg.connect(url)
    build.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    build.execute(READ)
    return build


@pytest.mark.postgres
def test_pages_do_not_wait_behind_migration(old_database, tmp_path):
    build = begin_build(old_database)
    migration = start_migration(tmp_path / "root", old_database, LOCK_PAUSE="0.1")
    slowest = 0.0
    assert migration.stdout is not None
    for _ in range(3):  # it says that it tries again
        assert "Trying again" in migration.stdout.readline()
        slowest = max(slowest, read_page(old_database))
    build.close()
    out, err = migration.communicate(timeout=100)
    assert (migration.returncode, err) == (0, "")
    assert "0016_notification_is_listed... OK" in out
    assert slowest < 10


@pytest.mark.postgres
def test_migration_gives_up_after_last_try(old_database, tmp_path):
    with begin_build(old_database):
        migration = start_migration(tmp_path / "root", old_database, LOCK_PAUSE="0", LOCK_TRIES="2")
        out, err = migration.communicate(timeout=100)
    assert migration.returncode == 1
    assert out.count("Trying again") == 1
    assert "due to lock timeout" in err


@pytest.mark.sqlite
def test_other_failures_are_not_repeated(tmp_path):
    migration = start_migration(tmp_path / "root", "mysql://host/name", LOCK_PAUSE="60")
    out, err = migration.communicate(timeout=100)
    assert (migration.returncode, out) == (1, "")
    assert err.startswith("DATABASE_URL is 'mysql://host/name'; it may be")
