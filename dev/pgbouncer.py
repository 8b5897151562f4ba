"""PgBouncer in transaction mode, in front of a test's PostgreSQL."""

import os
import pwd
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dev.stack import Child, StackError, free_port

START_SECONDS = 10

# Each transaction gets another connection than the one before, so that state which a client leaves
# in a connection is missing at once.
CONFIGURATION = """\
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
min_pool_size = 5
server_round_robin = 1
server_login_retry = 1
"""


class PgBouncer:
    """Context manager over a pooler that serves the database of `database_url` at `url`."""

    def __init__(self, folder: Path, database_url: str) -> None:
        """Prepare a pooler that has its configuration and log in `folder`."""
        port = free_port()
        server = conninfo_to_dict(database_url)
        name = quote(str(server.pop("dbname")), safe="")
        self.url = f"postgres://{server['user']}@127.0.0.1:{port}/{name}"
        self._file, self._log = folder / "pgbouncer.ini", folder / "pgbouncer.log"
        self._user = _system_user(str(server.get("host", "")))
        options = " ".join(f"{key}='{value}'" for key, value in server.items())
        self._file.write_text(CONFIGURATION.format(server=options, port=port))

    def __enter__(self) -> "PgBouncer":
        user = ["--user", self._user] if os.geteuid() == 0 else []
        # The configuration is standard input, because the other user may not enter the folder.
        command = ["sh", "-c", 'exec pgbouncer "$@" /dev/stdin <"$0"', str(self._file), *user]
        self._child = Child("PgBouncer", command, os.environ, self._log)
        try:
            self._wait_until_ready()
        except BaseException:
            self._child.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or not self._child.is_running:
                    raise StackError(
                        f"PgBouncer did not start. End of its log:\n{self._child.last_lines()}"
                    ) from error
                time.sleep(0.05)


def _system_user(host: str) -> str:
    """Return whom PgBouncer becomes, because it does not run as root: who may use the socket."""
    folder = Path(host)
    return pwd.getpwuid(folder.stat().st_uid).pw_name if folder.is_absolute() else "nobody"
