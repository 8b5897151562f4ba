"""Conversions from environment variables to settings."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ANYMAIL_PREFIX = "ANYMAIL_"
MAX_SOCKET_PATH_BYTES = 100  # sockaddr_un holds 108


def anymail_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return each variable ANYMAIL_<NAME> as <NAME>."""
    return {
        name.removeprefix(ANYMAIL_PREFIX): _parse(value)
        for name, value in environment.items()
        if name.startswith(ANYMAIL_PREFIX)
    }


def _parse(value: str) -> Any:
    """Convert booleans and JSON, because Anymail uses values as they are: "false" would be true.

    Numbers stay strings, because a token may consist of digits.
    """
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def broker_socket(var_dir: Path) -> Path:
    """Return the path of the embedded broker's socket.

    A socket's path is limited in length, so for a long `var_dir` it lies in the temporary folder.
    """
    socket = var_dir / "valkey.sock"
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
        return socket
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"microblog-{os.getuid()}-{digest}" / socket.name


def redis_url(url: str, **query: int) -> str:
    """Add timeouts to a Redis URL; only in this form do all connections of django-rq get them."""
    parameters = urlencode({"socket_timeout": 2, "socket_connect_timeout": 1} | query)
    return f"{url}{'&' if '?' in url else '?'}{parameters}"
