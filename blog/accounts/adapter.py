"""django-allauth adapters: error messages, mails, and rate limits on password guesses."""

import functools
import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from tasks import jobs
from tasks.models.clock import from_now, sweep_after

from ..models import AccountMail, User
from ..models.account_mail import MESSAGE_MAIL_DELAY_SECONDS
from ..rate_limits import client_address, client_network
from . import encryption
from .allauth_internals import generate_totp_secret, ratelimit

logger = logging.getLogger(__name__)

RATE_LIMIT_APP = "allauth.account"
SIGNATURE = "Microblog"
UNKNOWN_IP_ADDRESS = "::"
LINK_PREFIXES = ("http://", "https://")
INCORRECT_CODE = _("This code is not right, or too old. Try the one that your app shows now.")
REAUTHENTICATION_LABELS = {
    "reauthenticate": _("Use your password instead"),
    "mfa_reauthenticate": _("Use a code instead"),
}


class AccountBackend(AuthenticationBackend):
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Authenticate an e-mail address only once.

        A second try as a username would make existing accounts measurably slower (enumeration by
        timing).
        """
        if credentials.get("email") == credentials.get("username"):
            credentials.pop("username", None)
        user: User | None = super().authenticate(request, **credentials)
        return user

    def get_user(self, user_id: int) -> User | None:
        """Fetch the user and their unread counts in one query."""
        user = User.objects.find_with_badges(user_id)
        return user if user and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account is closed."),
        "cannot_remove_primary_email": _(
            "This is the address of your account: you can change it, not remove it."
        ),
        "duplicate_email": _("This is your address already."),
        "email_taken": _("This address belongs to another account."),
        "enter_current_password": _("This is not your present password."),
        "incorrect_code": INCORRECT_CODE,
        "incorrect_password": _("This is not your password."),
        "invalid_login": _("The name or the password is wrong."),
        "invalid_or_expired_key": _("This link does not work any more."),
        "invalid_password_reset": _("This link does not work any more."),
        "max_email_addresses": _("You can have %d addresses at most."),
        "same_as_current": _("Nothing would change: this is what it is already."),
        "unknown_email": _("There is no account with this address."),
        "unverified_primary_email": _("Please confirm your e-mail address first."),
        "too_many_login_attempts": _(
            "Too many wrong passwords or codes. Wait a quarter of an hour, or reset your password:"
            " that helps at once."
        ),
        "username_password_mismatch": _("The name or the password is wrong."),
        "email_password_mismatch": _("The e-mail address or the password is wrong."),
        "username_taken": _("This name is taken."),
        "username_blacklisted": _("This name is reserved. Please choose another."),
        "rate_limited": _("That was too often. Please wait a little."),
    }

    # Mails

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Save the mail in the request's transaction and enqueue it after commit.

        The row is a transactional outbox. A mail about a private message is left to the sweeper, a
        minute later, and dropped if the message has been read by then.
        """
        user = context.get("user")
        recipient = user or User.objects.filter(email__lower=email.lower()).first()
        language = (recipient and recipient.language) or translation.get_language()
        with translation.override(language):
            mail = self.compose(
                template_prefix, email, {"email": email, "site_url": settings.SITE_URL} | context
            )
        mail.user, mail.about = user, context.get("message")
        if mail.about is not None:
            mail.next_try_at = from_now(MESSAGE_MAIL_DELAY_SECONDS)
            mail.save()
            return
        mail.next_try_at = sweep_after()
        mail.save()
        transaction.on_commit(functools.partial(jobs.enqueue_or_send, mail), robust=True)

    def compose(self, template_prefix: str, email: str, context: dict[str, Any]) -> AccountMail:
        """Render a mail, with HTML made from the paragraphs of its text.

        A link in the text must be a paragraph of its own.
        """
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
        body = render_to_string(f"{template_prefix}_message.txt", context).strip()
        paragraphs = [
            {"text": paragraph, "is_link": paragraph.startswith(LINK_PREFIXES)}
            for paragraph in body.split("\n\n")
        ]
        return AccountMail(
            to=email,
            subject=self.format_email_subject(subject),
            text=f"{body}\n\n{SIGNATURE}\n",
            html=render_to_string("account/email/message.html", {"paragraphs": paragraphs}),
        )

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Send a notice to `email` or the user's confirmed address; without either, do nothing."""
        if address := email or user.confirmed_email:
            super().send_notification_mail(
                template_prefix, user, {"user": user} | (context or {}), address
            )

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm an address, and remove it from other accounts, which never confirmed it."""
        with transaction.atomic():
            if email_address.can_set_verified():
                others = User.objects.filter(email__lower=email_address.email.lower()).exclude(
                    pk=email_address.user_id
                )
                others.update(email="")
                EmailAddress.objects.filter(email=email_address.email).exclude(
                    pk=email_address.pk
                ).delete()
            return bool(super().confirm_email(request, email_address))

    # Rate limits on password guesses: 10 per account and IP address (IPv6: /64 network), 100 per
    # account. A username and an e-mail address of the same account count as one.

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return UNKNOWN_IP_ADDRESS if there is none, as behind a Unix socket.

        django-allauth would reject such requests.
        """
        return client_address(request) or UNKNOWN_IP_ADDRESS

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        usages: list[ratelimit.SingleRateLimitUsage] = []
        for action, key in self._rate_limit_keys(request, credentials):
            usage = ratelimit.consume(request, app=RATE_LIMIT_APP, action=action, key=key)
            if not usage:
                raise self.validation_error("too_many_login_attempts")
            usages += usage.usage
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(usages)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Reset the limits. django-allauth calls this after a password reset."""
        for action, key in self._rate_limit_keys(request, credentials):
            ratelimit.clear(request, app=RATE_LIMIT_APP, action=action, key=key)

    def _rate_limit_keys(
        self, request: HttpRequest, credentials: dict[str, Any]
    ) -> list[tuple[str, str]]:
        account = _account_key(credentials)
        return [
            ("login_failed", f"{account} {client_network(request) or UNKNOWN_IP_ADDRESS}"),
            ("account_guessed", account),
        ]

    # Pages

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        methods = super().get_reauthentication_methods(user)
        return [
            method | {"description": REAUTHENTICATION_LABELS[method["id"]]} for method in methods
        ]

    def is_safe_url(self, url: str | None) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # malformed IPv6 address
            return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("settings")


class MFAAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "add_email_blocked": _("Switch the second factor off before you change your address."),
        "cannot_delete_authenticator": _("The second factor cannot be switched off."),
        "cannot_generate_recovery_codes": _(
            "Recovery codes belong to the second factor: set that up first."
        ),
        "incorrect_code": INCORRECT_CODE,
        "unverified_email": _(
            "Please confirm your e-mail address first. Then you can set up the second factor."
        ),
    }

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt a secret; return a random one if its key is unknown.

        An empty secret would be a security hole: anyone can compute its codes.
        """
        try:
            return encryption.decrypt(encrypted_text)
        except InvalidToken:
            logger.error(
                "Cannot decrypt an MFA secret: its SECRET_KEY is missing from SECRET_KEY_FALLBACKS."
            )
            return str(generate_totp_secret())


def _account_key(credentials: dict[str, Any]) -> str:
    """Return one rate limit key for an account, whether its username or its address was entered.

    Return what was entered if no such account exists.
    """
    names = [str(credentials[key]).lower() for key in ("email", "username") if credentials.get(key)]
    users = User.objects.filter(Q(email__lower__in=names) | Q(username__lower__in=names))
    pk = users.order_by("pk").values_list("pk", flat=True).first()
    return names[0] if pk is None else f"#{pk}"
