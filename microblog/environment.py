"""Environment variables as settings: taken as they are, and refused where they cannot work.

django-environ reads `.env` and parses URLs. Single values are read here, because django-environ
takes `$abc` for the name of another variable, any unknown word for false, and "5 seconds" for 5.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from email.utils import getaddresses
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from . import addresses
from .addresses import CONTROL_CHARACTER, SiteAddress, is_address, redact_url

ANYMAIL_PREFIX = "ANYMAIL_"
MIN_KEY_LENGTH = 32
MIN_KEY_CHARACTERS = 5  # different ones, as security.W009 of Django expects
MAX_SHOWN_LENGTH = 100
BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

KEYS = (
    f"a random value of at least {MIN_KEY_LENGTH} characters, for example from "
    "python3 -c 'import secrets; print(secrets.token_urlsafe(50))' "
    "(on a development machine set DEBUG=true instead)"
)
SITE_URLS = (
    "http:// or https:// with a host name and optionally a port, without a path, for example "
    "https://microblog.example"
)
QUOTING = "with special characters in a password or path as %XX, for example # as %23"
DATABASE_URLS = f"postgres://user:password@host:5432/name or sqlite:////absolute/path, {QUOTING}"
REDIS_URLS = (
    "redis://:password@host:6379/0, rediss://:password@host:6379/0 or unix:///absolute/path (a "
    f"path of at most {addresses.MAX_SOCKET_PATH_BYTES} letters, digits and ./+@:,~_-), {QUOTING}"
)
MAIL_URLS = (
    "smtp://host:25, smtp+tls://user:password@host:587 (STARTTLS) or "
    f"smtp+ssl://user:password@host:465 (TLS from the start), {QUOTING}"
)
SENTRY_DSNS = "https://key@host/number, as Sentry shows it"

Number = TypeVar("Number", int, float)
Parsed = TypeVar("Parsed")


class InvalidVariable(ImproperlyConfigured):
    """Wrong value of an environment variable; the message is one sentence for the operator.

    The message shows the value or, if that is secret, only its `problem`.
    """

    def __init__(self, name: str, value: str, allowed: str, *, problem: str = "") -> None:
        super().__init__(f"{name} is {problem or _shown(value)}; it may be {allowed}.")


def _shown(value: str) -> str:
    shortened = value if len(value) <= MAX_SHOWN_LENGTH else f"{value[:MAX_SHOWN_LENGTH]}..."
    return repr(shortened) if value else "empty"


class Environment:
    """Reader of environment variables.

    Each method returns its default if the variable is not set, and raises InvalidVariable for a
    wrong value. An empty variable is wrong, except where the default is empty too.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def text(
        self,
        name: str,
        default: str = "",
        *,
        pattern: str = r"[^\x00-\x1f\x7f]*",
        allowed: str = "a text without line breaks",
    ) -> str:
        value = self.variables.get(name, default)
        if value == default == "":
            return ""
        if not value or not re.fullmatch(pattern, value):
            raise InvalidVariable(name, value, allowed)
        return value

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        value = self.variables.get(name, default)
        for choice in choices:
            if value.strip().lower() == choice.lower():
                return choice
        raise InvalidVariable(name, value, " or ".join(choices))

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.variables.get(name)
        if value is None:
            return default
        if value.strip().lower() not in BOOLEANS:
            raise InvalidVariable(name, value, "true or false")
        return BOOLEANS[value.strip().lower()]

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        allowed = f"a whole number from {minimum} to {maximum}"
        return self._number(name, default, convert=int, limits=(minimum, maximum), allowed=allowed)

    def number(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        allowed = f"a number from {minimum:g} to {maximum:g}"
        return self._number(
            name, default, convert=float, limits=(minimum, maximum), allowed=allowed
        )

    def _number(
        self,
        name: str,
        default: Number,
        *,
        convert: Callable[[str], Number],
        limits: tuple[float, float],
        allowed: str,
    ) -> Number:
        text = self.variables.get(name)
        if text is None:
            return default
        try:
            value = convert(text)
        except ValueError:
            raise InvalidVariable(name, text, allowed) from None
        if not limits[0] <= value <= limits[1]:  # is true for "nan", too
            raise InvalidVariable(name, text, allowed)
        return value

    def items(self, name: str) -> list[str]:
        return [item.strip() for item in self.variables.get(name, "").split(",") if item.strip()]

    def secret_key(self, name: str, *, default: str, is_strict: bool) -> str:
        """Return the key or, if it is missing, the default, which `is_strict` refuses."""
        key = self.variables.get(name, "") or default
        if is_strict:
            _check_key(name, key, default=default)
        return key

    def secret_keys(self, name: str, *, default: str, is_strict: bool) -> list[str]:
        keys = self.items(name)
        for key in keys if is_strict else []:
            _check_key(name, key, default=default)
        return keys

    def addresses(self, name: str) -> list[str]:
        for address in (found := self.items(name)):
            if not is_address(address):
                raise InvalidVariable(
                    name, address, "email addresses without names, separated by commas"
                )
        return found

    def sender(self, name: str, default: str) -> str:
        value = self.variables.get(name, default)
        parsed = getaddresses([value])
        if CONTROL_CHARACTER.search(value) or len(parsed) != 1 or not is_address(parsed[0][1]):
            raise InvalidVariable(
                name,
                value,
                "one email address, or Name <address>, with double quotes around a name that has "
                'special characters, for example "Foo, Inc." <noreply@microblog.example>',
            )
        return value

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """Return host names; one that starts with a dot stands for its subdomains, * for all."""
        if name not in self.variables:
            return default
        allowed = "host names without scheme and port, separated by commas"
        found = self.items(name)
        if not found:
            raise InvalidVariable(name, self.variables[name], allowed)
        return [item if item == "*" else self._host(name, item, allowed) for item in found]

    def _host(self, name: str, item: str, allowed: str) -> str:
        dot = "." if item.startswith(".") else ""
        try:
            return dot + addresses.parse_host(item.removeprefix("."))
        except ValueError:
            raise InvalidVariable(name, item, allowed) from None

    def folder(self, name: str, default: Path) -> Path:
        """Return a folder; a missing one is created for this user only."""
        value = self.variables.get(name, str(default))
        allowed = "a folder that this user may create or write to"
        if not value:
            raise InvalidVariable(name, value, allowed)
        try:
            folder = Path(value).resolve()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, RuntimeError):  # RuntimeError: a loop of links
            raise InvalidVariable(name, value, allowed) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InvalidVariable(name, value, allowed)
        return folder

    # Addresses of services

    def site(self, name: str, default: str) -> SiteAddress:
        value = self.variables.get(name, default)
        return _parsed(name, value, parse=addresses.parse_site, allowed=SITE_URLS)

    def refuse_prefix(self, name: str) -> None:
        """Refuse SCRIPT_NAME, with which gunicorn would serve the site below a path."""
        if value := self.variables.get(name):
            raise InvalidVariable(
                name, value, "empty only, because the site needs a host name of its own"
            )

    def database(self, name: str, default: Path) -> dict[str, Any]:
        value = self.variables.get(name)
        if value is None:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
        return _parsed(name, value, parse=addresses.parse_database, allowed=DATABASE_URLS)

    def redis(self, name: str, default: str) -> str:
        value = self.variables.get(name, default)
        _parsed(name, value, parse=addresses.check_redis_url, allowed=REDIS_URLS)
        return value

    def mail_server(self, name: str) -> dict[str, Any]:
        value = self.variables.get(name)
        if value is None:
            return {}
        return _parsed(name, value, parse=addresses.parse_mail_server, allowed=MAIL_URLS)

    def sentry_dsn(self, name: str) -> str:
        value = self.variables.get(name, "")
        if value:
            _parsed(name, value, parse=addresses.check_sentry_dsn, allowed=SENTRY_DSNS)
        return value


def _parsed(name: str, value: str, *, parse: Callable[[str], Parsed], allowed: str) -> Parsed:
    try:
        return parse(value)
    except ValueError:
        raise InvalidVariable(name, redact_url(value), allowed) from None


def _check_key(name: str, key: str, *, default: str) -> None:
    """Refuse a key that can be guessed, without showing it."""
    if key == default:
        problem = "not set"
    elif key.startswith("django-insecure-"):
        problem = "a key of Django for development"
    elif len(key) < MIN_KEY_LENGTH:
        problem = f"only {len(key)} characters long"
    elif len(set(key)) < MIN_KEY_CHARACTERS:
        problem = f"made of only {len(set(key))} different characters"
    else:
        return
    raise InvalidVariable(name, "", KEYS, problem=problem)


def anymail_settings(variables: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(ANYMAIL_PREFIX): _parse_anymail(value)
        for name, value in variables.items()
        if name.startswith(ANYMAIL_PREFIX)
    }


def _parse_anymail(value: str) -> Any:
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
