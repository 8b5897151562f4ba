"""System checks that refuse a deployment which cannot work."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.mail import get_connection

from tasks.heartbeat import HEARTBEAT_INTERVAL

from .archive import coverage

MIN_SECRET_LENGTH = 16


def check_intervals(**options: Any) -> list[CheckMessage]:
    errors: list[CheckMessage] = []
    if 4 * max(settings.EXPORT_TICK_SECONDS, HEARTBEAT_INTERVAL) > settings.EXPORT_LEASE_SECONDS:
        errors.append(
            Error(
                "EXPORT_LEASE_SECONDS is too short.",
                hint=(
                    "Set it to at least four times EXPORT_TICK_SECONDS, and at least "
                    f"{4 * HEARTBEAT_INTERVAL:g} seconds."
                ),
                id="exports.E004",
            )
        )
    if (
        min(settings.EXPORT_TICK_SECONDS, settings.EXPORT_MAX_RATE + 1, settings.EXPORT_JOB_TIMEOUT)
        <= 0
    ):
        errors.append(
            Error(
                "EXPORT_TICK_SECONDS and EXPORT_JOB_TIMEOUT must be positive, "
                "EXPORT_MAX_RATE must not be negative.",
                hint="Unset them to use the defaults.",
                id="exports.E005",
            )
        )
    return errors


def check_account_coverage(**options: Any) -> list[CheckMessage]:
    hint = (
        "Add it to exports/archive/sections.py, or exclude it with a reason in "
        "exports/archive/coverage.py."
    )
    return [Error(gap, hint=hint, id="exports.E010") for gap in coverage.violations()]


def check_shared_services(**options: Any) -> list[CheckMessage]:
    if not settings.SEVERAL_HOSTS:
        return []
    errors: list[CheckMessage] = []
    if not settings.EXPORT_BUCKET:
        errors.append(
            Error(
                "Archives would be stored on the disk of the host that built them.",
                hint=(
                    "Set EXPORT_BUCKET to an S3-compatible bucket, or SEVERAL_HOSTS=false if there "
                    "is only one host."
                ),
                id="exports.E001",
            )
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        errors.append(
            Error(
                "An SQLite database cannot be shared by several hosts.",
                hint="Set DATABASE_URL to a PostgreSQL database.",
                id="exports.E002",
            )
        )
    if settings.REDIS_URL.startswith("unix:"):
        errors.append(
            Error(
                "A broker on a Unix socket cannot be reached from other hosts.",
                hint="Set REDIS_URL to redis:// or rediss://.",
                id="exports.E003",
            )
        )
    return errors


def check_monitoring(**options: Any) -> list[CheckMessage]:
    """Check settings of mails, metrics and webhooks that would fail only when they are needed."""
    errors: list[CheckMessage] = []
    try:
        get_connection()
    except Exception as error:
        errors.append(
            Error(
                f"The mail backend does not work: {error}",
                hint="See docs/operations.md for EMAIL_BACKEND and its ANYMAIL_* variables.",
                id="exports.E006",
            )
        )
    if any("@" not in address for _, address in settings.ADMINS):
        errors.append(
            Error(
                "ADMINS contains an invalid email address.",
                hint="Separate addresses with commas.",
                id="exports.E007",
            )
        )
    if 0 < len(settings.METRICS_TOKEN) < MIN_SECRET_LENGTH:
        errors.append(
            Error(
                "METRICS_TOKEN is too short.",
                hint=(
                    f"Use at least {MIN_SECRET_LENGTH} characters, or unset it to turn metrics off."
                ),
                id="exports.E008",
            )
        )
    if not all(map(_is_webhook_secret, _webhook_secrets())):
        errors.append(
            Error(
                "ANYMAIL_WEBHOOK_SECRET is not name:password, or is too short.",
                hint=f"Write it as name:password, with at least {MIN_SECRET_LENGTH} characters.",
                id="exports.E009",
            )
        )
    return errors


def check_bounce_webhook(**options: Any) -> list[CheckMessage]:
    if not settings.EMAIL_BACKEND.startswith("anymail.") or _webhook_secrets():
        return []
    return [
        Warning(
            "Bounced mails will go unnoticed.",
            hint="Set ANYMAIL_WEBHOOK_SECRET, and register the webhook's URL with the provider.",
            id="exports.W001",
        )
    ]


def _webhook_secrets() -> list[Any]:
    secrets = settings.ANYMAIL.get("WEBHOOK_SECRET") or []
    return secrets if isinstance(secrets, list) else [secrets]


def _is_webhook_secret(secret: Any) -> bool:
    return isinstance(secret, str) and ":" in secret and len(secret) >= MIN_SECRET_LENGTH
