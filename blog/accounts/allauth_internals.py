"""All imports of django-allauth's internal modules, which any release may change."""

from allauth.account.internal.flows.login import record_authentication
from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import get_client_ip
from allauth.core.internal.ratelimit import truncate_ip
from allauth.mfa.base.internal.flows import delete_and_cleanup
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)

__all__ = [
    "TOTP",
    "RecoveryCodes",
    "delete_and_cleanup",
    "format_hotp_value",
    "generate_totp_secret",
    "get_client_ip",
    "hotp_value",
    "ratelimit",
    "record_authentication",
    "truncate_ip",
    "yield_hotp_counters_from_time",
]
