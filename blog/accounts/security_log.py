"""Log lines about sign-ins and other changes to how an account is entered.

A line names the account by its number and the client by its network, never what was typed: people
enter passwords into the wrong field.
"""

import logging
from typing import Any

from allauth.account import signals as account_signals
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa_signals
from django.contrib.auth import signals as auth_signals
from django.dispatch import Signal
from django.http import HttpRequest

from ..models import User
from ..rate_limits import client_network

logger = logging.getLogger(__name__)


def log_event(
    request: HttpRequest | None, event: str, user_id: int | None, methods: str = ""
) -> None:
    """Log an event of an account; `user_id` is None if no account was found."""
    fields = {
        "event": event,
        "user": user_id,
        "network": (request and client_network(request)) or "-",
        "methods": methods or "-",
    }
    logger.info("%(event)s: user %(user)s from %(network)s by %(methods)s", fields, extra=fields)


def log_sign_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    methods = [record["method"] for record in get_authentication_records(request, user)]
    log_event(request, "sign-in", user.pk, methods="+".join(dict.fromkeys(methods)))


def log_sign_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None and user.is_authenticated:
        log_event(request, "sign-out", user.pk)


def log_wrong_code(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    log_event(request, "wrong code", user.pk, methods="mfa")


# Signals with the arguments `request` and `user` or `authenticator`.
EVENTS: dict[Signal, str] = {
    account_signals.user_signed_up: "sign-up",
    account_signals.password_changed: "password changed",
    account_signals.password_set: "password changed",
    account_signals.password_reset: "password reset",
    account_signals.email_changed: "address changed",
    mfa_signals.authenticator_added: "second factor on",
    mfa_signals.authenticator_removed: "second factor off",
    mfa_signals.authenticator_reset: "recovery codes replaced",
}


def log_signal(event: str) -> Any:
    """Return a receiver that logs the event with the owner's account, whoever caused it."""

    def receiver(
        sender: Any, request: HttpRequest, user: User, authenticator: Any = None, **kwargs: Any
    ) -> None:
        user_id = authenticator.user_id if authenticator else user.pk
        log_event(request, event, user_id, methods=str(authenticator.type) if authenticator else "")

    return receiver


def connect() -> None:
    auth_signals.user_logged_in.connect(log_sign_in)
    auth_signals.user_logged_out.connect(log_sign_out)
    mfa_signals.authentication_failed.connect(log_wrong_code)
    for signal, event in EVENTS.items():
        signal.connect(log_signal(event), weak=False)
