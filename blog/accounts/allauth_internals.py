"""All imports of django-allauth's internal modules, which any release may change."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core.internal import ratelimit
from allauth.core.internal.cryptokit import compare_user_code, normalize_user_code
from allauth.core.internal.httpkit import get_client_ip
from allauth.core.internal.ratelimit import truncate_ip
from allauth.mfa.base.internal.flows import check_rate_limit, delete_and_cleanup
from allauth.mfa.recovery_codes.internal import auth as recovery_codes_auth
from allauth.mfa.recovery_codes.internal import flows as recovery_codes_flows
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
    "normalize_user_code",
    "ratelimit",
    "record_authentication",
    "replace_recovery_codes",
    "truncate_ip",
    "yield_hotp_counters_from_time",
]


def replace_recovery_codes(replacement: Any) -> None:
    """Let django-allauth use another class of recovery codes, for which it has no setting."""
    recovery_codes_auth.RecoveryCodes = replacement
    recovery_codes_flows.RecoveryCodes = replacement
