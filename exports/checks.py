"""System checks that refuse a deployment which cannot work."""

import math
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.mail import get_connection

from tasks.heartbeat import HEARTBEAT_INTERVAL

from .archive import coverage
from .models.task import archive_storage

MIN_SECRET_LENGTH = 16
MAX_NONCURRENT_DAYS = 1


def check_intervals(**options: Any) -> list[CheckMessage]:
    if 4 * max(settings.EXPORT_TICK_SECONDS, HEARTBEAT_INTERVAL) <= settings.EXPORT_LEASE_SECONDS:
        return []
    return [
        Error(
            f"EXPORT_LEASE_SECONDS is {settings.EXPORT_LEASE_SECONDS:g}, which is too short.",
            hint=(
                "Set it to at least four times EXPORT_TICK_SECONDS "
                f"({settings.EXPORT_TICK_SECONDS:g}), and at least {4 * HEARTBEAT_INTERVAL:g} "
                "seconds."
            ),
            id="exports.E004",
        )
    ]


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
                f"EMAIL_BACKEND is {settings.EMAIL_BACKEND}, which does not work: {error}",
                hint="See docs/operations.md for EMAIL_BACKEND and its ANYMAIL_* variables.",
                id="exports.E006",
            )
        )
    if 0 < len(settings.METRICS_TOKEN) < MIN_SECRET_LENGTH:
        errors.append(
            Error(
                f"METRICS_TOKEN is too short: {len(settings.METRICS_TOKEN)} characters.",
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


def check_bucket_versioning(**options: Any) -> list[CheckMessage]:
    """Ask the bucket whether it keeps what the site deletes.

    A versioned bucket keeps every expired archive, and those of deleted accounts, unless a rule of
    its lifecycle deletes old versions.
    """
    if not settings.EXPORT_BUCKET:
        return []
    storage: Any = archive_storage()
    client = storage.connection.meta.client
    try:
        versioning = client.get_bucket_versioning(Bucket=settings.EXPORT_BUCKET).get("Status")
        rules = _lifecycle_rules(client) if versioning else []
    except (BotoCoreError, ClientError) as error:
        return [
            Warning(
                f"EXPORT_BUCKET is {settings.EXPORT_BUCKET}, which does not say whether it keeps "
                f"deleted archives: {error}",
                hint=(
                    "Allow s3:GetBucketVersioning and s3:GetLifecycleConfiguration, or see for "
                    "yourself that its versioning is off."
                ),
                id="exports.W002",
            )
        ]
    if not versioning or any(map(_deletes_old_versions, rules)):
        return []
    return [
        Error(
            f"EXPORT_BUCKET is {settings.EXPORT_BUCKET}, whose versioning keeps expired archives "
            "and those of deleted accounts.",
            hint=(
                "Use a bucket without versioning, or add a lifecycle rule for the whole bucket "
                f"that deletes noncurrent versions after {MAX_NONCURRENT_DAYS} day."
            ),
            id="exports.E011",
        )
    ]


def _lifecycle_rules(client: Any) -> list[dict[str, Any]]:
    try:
        answer = client.get_bucket_lifecycle_configuration(Bucket=settings.EXPORT_BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return []
        raise
    rules: list[dict[str, Any]] = answer["Rules"]
    return rules


def _deletes_old_versions(rule: dict[str, Any]) -> bool:
    """Return whether a lifecycle rule deletes old versions of every object soon enough."""
    expiration = rule.get("NoncurrentVersionExpiration", {})
    is_soon = expiration.get("NoncurrentDays", math.inf) <= MAX_NONCURRENT_DAYS
    covers_all = not any((rule.get("Filter") or {}).values()) and not rule.get("Prefix")
    keeps_none = not expiration.get("NewerNoncurrentVersions")
    return rule["Status"] == "Enabled" and is_soon and covers_all and keeps_none


def _webhook_secrets() -> list[Any]:
    secrets = settings.ANYMAIL.get("WEBHOOK_SECRET") or []
    return secrets if isinstance(secrets, list) else [secrets]


def _is_webhook_secret(secret: Any) -> bool:
    return isinstance(secret, str) and ":" in secret and len(secret) >= MIN_SECRET_LENGTH
