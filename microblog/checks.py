"""System checks of settings that work, but not well in production, and of the database.

Wrong values do not get this far: `microblog.environment` refuses them.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from redis import Redis

from .addresses import is_ip_address

PLACEHOLDER_DOMAINS = (".localhost", ".example", ".example.com", ".example.net", ".example.org")


@register(deploy=True)
def check_site_url(**options: Any) -> list[CheckMessage]:
    host = settings.SITE_HOST
    found: list[CheckMessage] = []
    if f".{host}".endswith(PLACEHOLDER_DOMAINS) or is_ip_address(host.strip("[]")):
        found.append(
            Warning(
                f"SITE_URL is {settings.SITE_URL}, which people on other machines cannot open.",
                hint="Set it to the public address: links in emails start with it.",
                id="microblog.W001",
            )
        )
    if settings.SECURE_SSL_REDIRECT and settings.SITE_URL.startswith("http:"):
        found.append(
            Warning(
                f"SITE_URL is {settings.SITE_URL}, but the site redirects to HTTPS.",
                hint="Write it with https://, or set HTTPS=false.",
                id="microblog.W002",
            )
        )
    return found


@register(deploy=True)
def check_contacts(**options: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.ADMINS:
        found.append(
            Warning(
                "ADMINS is not set, so errors are only in the log.",
                hint="Set it to the addresses that receive errors, separated by commas.",
                id="microblog.W003",
            )
        )
    if not settings.SECURITY_CONTACT:
        found.append(
            Warning(
                "SECURITY_CONTACT is not set, so nobody learns where to report vulnerabilities.",
                hint="Set it to an email address or URL: /.well-known/security.txt shows it.",
                id="microblog.W004",
            )
        )
    return found


@register(deploy=True)
def check_mail_server(**options: Any) -> list[CheckMessage]:
    if settings.HAS_MAIL_SERVER:
        return []
    return [
        Warning(
            "EMAIL_URL is not set, so emails go to the mail server on localhost, port 25.",
            hint=(
                "Set it to your mail server, or to smtp://localhost:25 if that is what you want. "
                "For a provider's API, set EMAIL_BACKEND instead."
            ),
            id="microblog.W005",
        )
    ]


@register(deploy=True)
def check_broker_password(**options: Any) -> list[CheckMessage]:
    connection = Redis.from_url(settings.REDIS_URL).get_connection_kwargs()
    if "path" in connection or connection.get("password"):
        return []
    return [
        Warning(
            "REDIS_URL has no password: whoever can open the port can run jobs and read sessions.",
            hint=(
                "Set `requirepass` in the broker and write redis://:password@host, or use a Unix "
                "socket that only the services can open."
            ),
            id="microblog.W006",
        )
    ]


@register(Tags.database)
def check_collation(
    *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """Check that the database compares ASCII letters as Python does.

    With a Turkish collation `LOWER('I')` is a dotless i, so usernames with I are not found.
    """
    found: list[CheckMessage] = []
    for alias in databases or []:
        if connections[alias].vendor != "postgresql":
            continue
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT lower('I') = 'i' AND upper('i') = 'I', current_setting('server_encoding')"
            )
            is_ascii, encoding = cursor.fetchone()
        if not is_ascii:
            found.append(
                Error(
                    "The collation of the database changes the ASCII letter I, as Turkish does, so "
                    "usernames with it could not sign in.",
                    hint="Create it with: createdb --template template0 --locale C.UTF-8",
                    id="microblog.E001",
                )
            )
        if encoding != "UTF8":
            found.append(
                Error(
                    f"The encoding of the database is {encoding}, which cannot hold every text.",
                    hint="Create it with: createdb --template template0 --encoding UTF8",
                    id="microblog.E002",
                )
            )
    return found
