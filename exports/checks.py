"""Deployments that cannot work, said at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.mail import get_connection

from .archive import coverage
from .heartbeat import BEAT_SECONDS


def timings(**options: Any) -> list[CheckMessage]:
    """Numbers that would let leases lapse while their work goes on."""
    errors: list[CheckMessage] = []
    if 4 * max(settings.EXPORT_TICK_SECONDS, BEAT_SECONDS) > settings.EXPORT_LEASE_SECONDS:
        errors.append(
            Error(
                "EXPORT_LEASE_SECONDS is too short.",
                hint=f"Make it at least four times EXPORT_TICK_SECONDS, and {4 * BEAT_SECONDS:g} seconds.",
                id="exports.E004",
            )
        )
    if (
        min(settings.EXPORT_TICK_SECONDS, settings.EXPORT_MAX_RATE + 1, settings.EXPORT_JOB_TIMEOUT)
        <= 0
    ):
        errors.append(
            Error(
                "EXPORT_TICK_SECONDS and EXPORT_JOB_TIMEOUT must be positive, EXPORT_MAX_RATE not negative.",
                hint="Leave them out to have the defaults.",
                id="exports.E005",
            )
        )
    return errors


def account_coverage(**options: Any) -> list[CheckMessage]:
    """Fields about people that the archive of an account neither has nor leaves out for a reason."""
    hint = "Add it to a part in exports/archive/sections.py, or to what exports/archive/coverage.py leaves out."
    return [Error(gap, hint=hint, id="exports.E010") for gap in coverage.violations()]


def shared_services(**options: Any) -> list[CheckMessage]:
    """Several machines need archives, database and broker where all of them can reach them."""
    if not settings.SEVERAL_HOSTS:
        return []
    errors: list[CheckMessage] = []
    if not settings.EXPORT_BUCKET:
        errors.append(
            Error(
                "Archives would lie on the disk of whichever machine built them.",
                hint="Set EXPORT_BUCKET to an S3-compatible bucket, or SEVERAL_HOSTS=false if there is one machine.",
                id="exports.E001",
            )
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        errors.append(
            Error(
                "An SQLite database cannot be shared by several machines.",
                hint="Set DATABASE_URL to a PostgreSQL database.",
                id="exports.E002",
            )
        )
    if settings.REDIS_URL.startswith("unix:"):
        errors.append(
            Error(
                "A broker on a unix socket cannot be reached from other machines.",
                hint="Set REDIS_URL to redis:// or rediss://.",
                id="exports.E003",
            )
        )
    return errors


SECRET_LENGTH = 16


def watching(**options: Any) -> list[CheckMessage]:
    """Settings of mails, metrics and webhooks whose faults would show only when somebody needs them."""
    errors: list[CheckMessage] = []
    try:
        get_connection()
    except Exception as error:
        errors.append(
            Error(
                f"Mails cannot be sent: {error}",
                hint="EMAIL_BACKEND and the ANYMAIL_* variables that it needs are listed in docs/operations.md.",
                id="exports.E006",
            )
        )
    if any("@" not in address for _, address in settings.ADMINS):
        errors.append(
            Error(
                "ADMINS holds what is no address.",
                hint="Separate addresses with commas.",
                id="exports.E007",
            )
        )
    if 0 < len(settings.METRICS_TOKEN) < SECRET_LENGTH:
        errors.append(
            Error(
                "METRICS_TOKEN can be guessed.",
                hint=f"Give it {SECRET_LENGTH} characters or more, or leave it out to have no metrics.",
                id="exports.E008",
            )
        )
    if any(not _is_webhook_secret(secret) for secret in _webhook_secrets()):
        errors.append(
            Error(
                "ANYMAIL_WEBHOOK_SECRET is no name and password, or can be guessed.",
                hint=f"Write it as name:password, with {SECRET_LENGTH} characters or more.",
                id="exports.E009",
            )
        )
    return errors


def webhooks(**options: Any) -> list[CheckMessage]:
    """A provider that could tell of mails that were refused, and that nobody listens to; for `check --deploy`."""
    if not settings.EMAIL_BACKEND.startswith("anymail.") or _webhook_secrets():
        return []
    return [
        Warning(
            "Nobody will learn of mails that were refused after they had been sent.",
            hint="Set ANYMAIL_WEBHOOK_SECRET, and give the provider the address of its webhook.",
            id="exports.W001",
        )
    ]


def _webhook_secrets() -> list[Any]:
    secrets = settings.ANYMAIL.get("WEBHOOK_SECRET") or []
    return secrets if isinstance(secrets, list) else [secrets]


def _is_webhook_secret(secret: Any) -> bool:
    return isinstance(secret, str) and ":" in secret and len(secret) >= SECRET_LENGTH
