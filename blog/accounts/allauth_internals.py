"""All imports of django-allauth's internal modules, which any release may change."""

from allauth.account.internal.flows.login import record_authentication
from allauth.core.internal import ratelimit
from allauth.core.internal.cryptokit import compare_user_code
from allauth.core.internal.httpkit import get_client_ip
from allauth.core.internal.ratelimit import truncate_ip
from allauth.mfa.base.internal.flows import check_rate_limit, delete_and_cleanup
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    SECRET_SESSION_KEY,
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)

__all__ = [
    "SECRET_SESSION_KEY",
    "TOTP",
    "RecoveryCodes",
    "check_rate_limit",
    "compare_user_code",
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
