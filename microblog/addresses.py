"""Addresses of the site, its database, its broker and its mail server: parsing and quoting.

Needs no settings, so development tools use it too.
"""

import hashlib
import ipaddress
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import (
    SplitResult,
    parse_qsl,
    quote,
    unquote,
    unquote_to_bytes,
    urlencode,
    urlsplit,
)

import idna
import redis
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from environ import Env

MAX_SOCKET_PATH_BYTES = 100  # sockaddr_un holds 108
DEFAULT_PORTS = {"http": 80, "https": 443}
# Port of each scheme of EMAIL_URL, and whether it uses STARTTLS, or TLS from the start
MAIL_SCHEMES = {
    "smtp": (25, False, False),
    "smtp+tls": (587, True, False),
    "smtp+ssl": (465, False, True),
}
# The answers of CLIENT INFO name the socket, and clients split them at blanks and "=".
SOCKET_PATH = re.compile(r"/[\w./+@:,~-]*", re.ASCII)
HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

validate_address = EmailValidator(allowlist=["localhost"])


@dataclass(frozen=True)
class SiteAddress:
    """Address of the site as browsers write it: lower case, punycode, no default port."""

    scheme: str
    host: str  # as in a Host header: an IPv6 address is in brackets
    port: int | None

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    def cookie_name(self, name: str, *, is_secure: bool) -> str:
        """Return the name of a cookie that no other site sees or sets.

        Browsers share cookies among the ports of a host, so the port is part of the name. They
        accept __Host- only over HTTPS, from this very host and for all of its paths.
        """
        prefix = "__Host-" if is_secure else ""
        return f"{prefix}{name}_{self.port}" if self.port else f"{prefix}{name}"

    @property
    def mail_domain(self) -> str:
        """Return the host, or "localhost" for an IP address, which is no domain of a sender."""
        return "localhost" if is_ip_address(self.host.strip("[]")) else self.host


def split_url(url: str) -> SplitResult:
    """Split a URL. Raises ValueError for blanks, control characters and fragments.

    An unquoted # in a password or path would cut the rest off.
    """
    if "#" in url or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(url)
    return urlsplit(url)


def redact_url(url: str) -> str:
    """Return a URL without what may be secret: user, password and query."""
    head, at, tail = url.rpartition("@")
    scheme = f"{head.partition('://')[0]}://" if "://" in head else ""
    return re.sub(r"\?.*", "?...", f"{scheme}...@{tail}" if at else url, flags=re.DOTALL)


def is_address(address: str) -> bool:
    try:
        validate_address(address)
    except ValidationError:
        return False
    return True


def is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_host(name: str) -> str:
    """Return a host as it stands in a Host header: lower case, punycode, brackets around IPv6.

    Raises ValueError if it is not one.
    """
    name = name.removeprefix("[").removesuffix("]")
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name).compressed}]"
    if not name.isascii():
        name = idna.encode(name, uts46=True).decode()  # UnicodeError, hence ValueError
    name = name.lower().removesuffix(".")
    if len(name) > 253 or not HOST_NAME.fullmatch(name):
        raise ValueError(name)
    return name


def parse_site(url: str) -> SiteAddress:
    """Parse SITE_URL. Raises ValueError unless it is a scheme, a host and optionally a port."""
    parts = split_url(url)
    if parts.scheme not in DEFAULT_PORTS or parts.path not in ("", "/") or parts.query:
        raise ValueError(url)
    if "@" in parts.netloc or parts.port == 0 or "%" in parts.netloc:
        raise ValueError(url)
    port = parts.port if parts.port != DEFAULT_PORTS[parts.scheme] else None
    return SiteAddress(parts.scheme, parse_host(parts.hostname or ""), port)


# Databases


def sqlite_url(path: Path | str) -> str:
    return f"sqlite:///{quote(os.fsencode(path))}"


def parse_database(url: str) -> dict[str, Any]:
    """Return an entry of DATABASES. Raises ValueError unless it is SQLite or PostgreSQL.

    django-environ parses PostgreSQL's URLs. In a path of SQLite it would take + for a blank.
    """
    if url == "sqlite://:memory:":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    parts = split_url(url)
    if parts.scheme == "sqlite":
        path = os.fsdecode(unquote_to_bytes(parts.path[1:]))
        if parts.netloc or parts.query or not path.startswith("/") or path.endswith("/"):
            raise ValueError(url)
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path}
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError(url)
    database: dict[str, Any] = Env.db_url_config(url)
    if not database["NAME"]:
        raise ValueError(url)
    return database


# Brokers


def is_socket_path(path: Path | str) -> bool:
    is_short = len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
    return is_short and SOCKET_PATH.fullmatch(str(path)) is not None


def temporary_folder() -> Path:
    """Return the folder for sockets whose own folder has an unsuitable name."""
    folder = Path(tempfile.gettempdir())
    if is_socket_path(folder / ("x" * 40)):
        return folder
    return Path("/tmp")  # noqa: S108  # nosec B108


def broker_socket(var_dir: Path) -> Path:
    """Return the path of the embedded broker's socket.

    It lies in the temporary folder if the path in `var_dir` is too long or has characters that
    Redis clients cannot read.
    """
    socket = var_dir / "valkey.sock"
    if is_socket_path(socket):
        return socket
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:12]
    return temporary_folder() / f"microblog-{os.getuid()}-{digest}" / socket.name


def socket_url(socket: Path) -> str:
    return f"unix://{quote(os.fsencode(socket))}"


def socket_from_url(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "unix" else None


def check_redis_url(url: str) -> None:
    """Raise ValueError unless redis-py understands all of the URL."""
    parts = split_url(url)
    if parts.scheme == "unix":
        if parts.hostname or not is_socket_path(unquote(parts.path)):
            raise ValueError(url)
    elif not parts.hostname or not re.fullmatch(r"/?|/\d{1,4}", parts.path, re.ASCII):
        raise ValueError(url)
    try:
        # Construct a connection without connecting: an unknown parameter is a TypeError.
        redis.Redis.from_url(url).connection_pool.make_connection()
    except (TypeError, redis.RedisError) as error:
        raise ValueError(url) from error


def redis_database(url: str) -> int:
    return int(redis.Redis.from_url(url).get_connection_kwargs().get("db", 0))


def redis_url(url: str, *, db: int | None = None, socket_timeout: int = 2) -> str:
    """Add timeouts to a Redis URL, unless it has some, and replace its database with `db`.

    Only in this form do all connections of django-rq get the timeouts.
    """
    server, _, given = url.partition("?")
    query: dict[str, Any] = {"socket_timeout": socket_timeout, "socket_connect_timeout": 1}
    query |= dict(parse_qsl(given))
    if db is not None:
        query["db"] = db  # goes before a database in the path
    return f"{server}?{urlencode(query)}"


# Mail servers


def parse_mail_server(url: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings. Raises ValueError for a wrong EMAIL_URL."""
    parts = split_url(url)
    if parts.scheme not in MAIL_SCHEMES or parts.path not in ("", "/") or parts.query:
        raise ValueError(url)
    if not parts.hostname or parts.port == 0 or bool(parts.username) != bool(parts.password):
        raise ValueError(url)
    port, use_starttls, use_tls = MAIL_SCHEMES[parts.scheme]
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": use_starttls,
        "EMAIL_USE_SSL": use_tls,
    }


def check_sentry_dsn(dsn: str) -> None:
    parts = split_url(dsn)
    number = parts.path.rpartition("/")[2]
    is_number = number.isascii() and number.isdigit()
    if parts.scheme not in DEFAULT_PORTS or not parts.username or not parts.hostname:
        raise ValueError(dsn)
    if not is_number or parts.port == 0:
        raise ValueError(dsn)
