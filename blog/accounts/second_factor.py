"""Two-step verification: codes that count once, and the mailed link that permits turning it on."""

import time
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ..models import User
from .allauth_internals import (
    compare_user_code,
    delete_and_cleanup,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)

LAST_COUNTER_KEY = "last_counter"  # in Authenticator.data: the counter of the last accepted code
ENROLMENT_SALT = "blog.accounts.second_factor.enrolment"
ENROLMENT_SECONDS = 3600  # how long the mailed link works and, once opened, the session may enrol
ENROLMENT_SESSION_KEY = "may_enrol_until"  # seconds since 1970
# Age up to which a password reset offers to turn it off: its owner may not be the account's.
REMOVABLE_AGE = timedelta(days=7)


# Codes


def find_counter(secret: str, code: str) -> int | None:
    """Return the counter (the time in periods of 30 seconds) of a right code."""
    for counter in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            return int(counter)
    return None


@transaction.atomic
def accept_code(user: AbstractBaseUser, code: str) -> Authenticator:
    """Use up a code and return its authenticator. Raise ValidationError for any other code."""
    # Locked, so that two concurrent requests cannot both use the same code.
    rows = Authenticator.objects.select_for_update().filter(user=user)
    for authenticator in rows.order_by("-type"):
        if authenticator.type == Authenticator.Type.TOTP:
            counter = find_counter(get_adapter().decrypt(authenticator.data["secret"]), code)
            is_right = counter is not None
            if counter is not None and not use_counter(authenticator, counter):
                raise get_adapter().validation_error("used_code")
        else:
            is_right = authenticator.wrap().validate_code(code)
        if is_right:
            return authenticator
    raise get_adapter().validation_error("incorrect_code")


def use_counter(authenticator: Authenticator, counter: int) -> bool:
    """Store the counter of a code; return False if this or a later code was used already.

    The row, or its user, must be locked.
    """
    if counter <= authenticator.data.get(LAST_COUNTER_KEY, 0):
        return False
    authenticator.data[LAST_COUNTER_KEY] = counter
    authenticator.save(update_fields=["data"])
    return True


# Enrolment: turning it on needs access to the mailbox, so that a password alone does not suffice


def enrolment_link(user: User) -> str:
    """Return a link that lets the user turn on two-step verification, after signing in."""
    key = signing.dumps(_enrolment_value(user), salt=ENROLMENT_SALT)
    return settings.SITE_URL + reverse("mfa_enrolment", args=[key])


def mail_enrolment_link(user: User) -> bool:
    """Send the link to the user's confirmed address; return whether there is one."""
    address = user.confirmed_email
    if address is None:
        return False
    link = enrolment_link(user)
    get_account_adapter().send_mail(
        "mfa/email/totp_enrolment", address, {"user": user, "link": link}
    )
    return True


def open_enrolment(request: HttpRequest, user: User, key: str) -> bool:
    """Let this session turn on two-step verification, if the key is the user's and still valid."""
    try:
        value = signing.loads(key, salt=ENROLMENT_SALT, max_age=ENROLMENT_SECONDS)
    except signing.BadSignature:
        return False
    if value != _enrolment_value(user):
        return False
    request.session[ENROLMENT_SESSION_KEY] = int(time.time()) + ENROLMENT_SECONDS
    return True


def may_enrol(request: HttpRequest) -> bool:
    return bool(request.session.get(ENROLMENT_SESSION_KEY, 0) > time.time())


def close_enrolment(request: HttpRequest) -> None:
    request.session.pop(ENROLMENT_SESSION_KEY, None)


def _enrolment_value(user: User) -> list[Any]:
    """Return what a link is bound to: a new password or address makes it invalid."""
    return [user.pk, user.email, user.get_session_auth_hash()[:16]]


# Removal


def find_removable(user: User | None) -> Authenticator | None:
    """Return the user's TOTP authenticator if it is younger than REMOVABLE_AGE.

    None for staff: access to their mailbox must not suffice for the admin.
    """
    if user is None or user.is_staff:
        return None
    authenticators = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP)
    return authenticators.filter(created_at__gt=timezone.now() - REMOVABLE_AGE).first()


def remove(authenticator: Authenticator) -> None:
    """Turn off two-step verification, with its recovery codes, and mail a notice."""
    with transaction.atomic():
        delete_and_cleanup(context.request, authenticator)
        get_account_adapter().send_notification_mail(
            "mfa/email/totp_deactivated", authenticator.user
        )


def end_other_sessions(
    sender: Any, request: HttpRequest, authenticator: Authenticator, **kwargs: Any
) -> None:
    """End the account's sessions but this one. Receiver of `authenticator_added` and `..._removed`.

    A thief's session would otherwise survive the change.
    """
    if authenticator.type != Authenticator.Type.TOTP:
        return
    sessions = UserSession.objects.filter(user=authenticator.user_id)
    for session in sessions.exclude(session_key=request.session.session_key):
        session.end()
