"""django-allauth adapters: error messages, mails, and rate limits on password guesses."""

import logging
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from microblog.transactions import run_after_commit
from tasks import jobs
from tasks.models.clock import from_now, sweep_after

from ..models import AccountMail, User
from ..models.account_mail import MESSAGE_MAIL_DELAY_SECONDS
from ..rate_limits import client_address, client_network
from . import encryption, usernames
from .allauth_internals import generate_totp_secret, ratelimit
from .mailboxes import MAILBOX_LIMITS, normalize_mailbox
from .passwords import normalize_password
from .security_log import log_event

logger = logging.getLogger(__name__)

RATE_LIMIT_APP = "allauth.account"
SIGNATURE = "Microblog"
UNKNOWN_IP_ADDRESS = "::"
LINK_PREFIXES = ("http://", "https://")
INCORRECT_CODE = _("That code is wrong or has expired. Try the one your app shows now.")
REAUTHENTICATION_LABELS = {
    "reauthenticate": _("Use your password instead"),
    "mfa_reauthenticate": _("Use a code instead"),
}


class AccountBackend(AuthenticationBackend):
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Authenticate an email address only once.

        A second try as a username would make existing accounts measurably slower (enumeration by
        timing).
        """
        if credentials.get("email") == credentials.get("username"):
            credentials.pop("username", None)
        user: User | None = super().authenticate(request, **credentials)
        return user

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        """Compare with the account of the confirmed address alone.

        Any number of unconfirmed accounts can have the same address. Checking their passwords, too,
        would reveal whether the address has an account (enumeration).
        """
        user = User.objects.filter(email__lower=email.lower()).first()
        found: User | None = self._check_password(user, password)
        return found

    def get_user(self, user_id: int) -> User | None:
        """Fetch the user and their unread counts in one query."""
        user = User.objects.find_with_badges(user_id)
        return user if user and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account is closed."),
        "cannot_remove_primary_email": _(
            "This is your account's email address: you can change it, but not remove it."
        ),
        "duplicate_email": _("This is already your email address."),
        "email_taken": _("This address belongs to another account."),
        "enter_current_password": _("That's not your current password."),
        "incorrect_code": INCORRECT_CODE,
        "incorrect_password": _("That's not your password."),
        "invalid_login": _("Wrong username or password."),
        "invalid_or_expired_key": _("This link no longer works."),
        "invalid_password_reset": _("This link no longer works."),
        "max_email_addresses": _("You can have at most %d addresses."),
        "same_as_current": _("Nothing to change: that's already the case."),
        "unknown_email": _("There's no account with this address."),
        "unverified_primary_email": _("Please confirm your email address first."),
        "too_many_login_attempts": _(
            "Too many failed attempts. Try again in 15 minutes, or reset your password to get in "
            "right away."
        ),
        "too_many_codes": _("Too many wrong codes today. Please try again tomorrow."),
        "username_password_mismatch": _("Wrong username or password."),
        "email_password_mismatch": _("Wrong email address or password."),
        "username_taken": _("This username is taken."),
        "username_blacklisted": _("This username is reserved. Please choose another."),
        "rate_limited": _("You're doing that too often. Please wait a moment."),
    }

    def clean_username(self, username: str, shallow: bool = False) -> str:
        name: str = super().clean_username(username, shallow)
        usernames.validate_new_username(name)
        if usernames.is_site_name(name):
            raise self.validation_error("username_blacklisted")
        return name

    def clean_password(self, password: str, user: User | None = None) -> str:
        """Validate the form that is hashed, which may be a well-known password."""
        super().clean_password(normalize_password(password), user)
        return password

    # Mails

    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC, signup: bool
    ) -> None:
        """Send the link or, after a sign-up with the address of an account, a notice instead."""
        address = emailconfirmation.email_address
        user = cast(User, address.user)
        if user.is_confirmed or address.can_set_verified():
            super().send_confirmation_mail(request, emailconfirmation, signup)
        else:
            self.send_account_already_exists_mail(address.email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Save the mail in the request's transaction and enqueue it after commit.

        The row is a transactional outbox. A mail about a private message is left to the sweeper, a
        minute later, and dropped if the message has been read by then. Mails that anybody can
        cause are limited per mailbox; those over the limit are dropped.
        """
        if action := MAILBOX_LIMITS.get(template_prefix):
            key = normalize_mailbox(email)
            if not ratelimit.consume(
                allauth_context.request, app=RATE_LIMIT_APP, action=action, key=key, limit_get=True
            ):
                logger.info("A mail was dropped: %s is over the limit of its mailbox.", action)
                return
        user = context.get("user")
        recipient = user or User.objects.filter(email__lower=email.lower()).first()
        language = (recipient and recipient.language) or translation.get_language()
        with translation.override(language):
            mail = self.compose(
                template_prefix, email, {"email": email, "site_url": settings.SITE_URL} | context
            )
        mail.user, mail.about = user, context.get("message")
        mail.notification_name = context.get("notification_name", "")
        if mail.about is not None:
            mail.next_try_at = from_now(MESSAGE_MAIL_DELAY_SECONDS)
            mail.save()
            return
        mail.next_try_at = sweep_after()
        mail.save()
        run_after_commit(jobs.enqueue_or_send, mail)

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
        """Confirm an address, and remove it from other accounts, which never confirmed it.

        Sign-ups with the address keep it, and their names stay reserved until they are deleted.
        Return False if another account has the address, or if the sweeper has just deleted this
        one, which was never confirmed.
        """
        others = EmailAddress.objects.filter(email=email_address.email, primary=False)
        try:
            with transaction.atomic():
                owner = User.objects.select_for_update().filter(pk=email_address.user_id)
                if owner.first() is None:
                    return False
                if email_address.can_set_verified():
                    users = User.objects.filter(email__lower=email_address.email.lower())
                    users.exclude(pk=email_address.user_id).update(email="")
                    others.exclude(pk=email_address.pk).delete()
                is_confirmed = bool(super().confirm_email(request, email_address))
                if is_confirmed:
                    owner.update(is_confirmed=True)
        except IntegrityError:  # two accounts confirm the same address at the same time
            return False
        return is_confirmed

    # Rate limits on password guesses: 10 per account and IP address (IPv6: /64 network), 100 per
    # account. A username and an email address of the same account count as one.

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
                log_event(request, "too many wrong passwords", _find_account_id(credentials))
                raise self.validation_error("too_many_login_attempts")
            usages += usage.usage
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(usages)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        log_event(request, "wrong password", _find_account_id(credentials), methods="password")

    def _rate_limit_keys(
        self, request: HttpRequest, credentials: dict[str, Any]
    ) -> list[tuple[str, str]]:
        user = _find_account(credentials)
        # The key changes with the password, so a new one lifts the limits of all IP addresses.
        account = f"#{user.pk} {user.password}" if user else _names(credentials)[0]
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
        "add_email_blocked": _(
            "Turn off two-step verification before you change your email address."
        ),
        "cannot_delete_authenticator": _("Two-step verification can't be turned off."),
        "cannot_generate_recovery_codes": _(
            "Recovery codes are part of two-step verification: set that up first."
        ),
        "incorrect_code": INCORRECT_CODE,
        "used_code": _("This code has already been used. Wait for the next one your app shows."),
        "unverified_email": _(
            "Please confirm your email address first. Then you can set up two-step verification."
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


def _names(credentials: dict[str, Any]) -> list[str]:
    return [str(credentials[key]).lower() for key in ("email", "username") if credentials.get(key)]


def _find_account(credentials: dict[str, Any]) -> User | None:
    """Return the account whose username or address was entered."""
    names = _names(credentials)
    users = User.objects.filter(Q(email__lower__in=names) | Q(username__lower__in=names))
    return users.order_by("pk").only("pk", "password").first()


def _find_account_id(credentials: dict[str, Any]) -> int | None:
    user = _find_account(credentials)
    return user.pk if user else None


def lift_code_limit(user: User, **kwargs: Any) -> None:
    """Forget the wrong codes of the last quarter of an hour. Receiver of `password_reset`.

    Those of the day remain: whoever reads the mailbox could otherwise reset the password again and
    again to guess codes.
    """
    ratelimit.clear(
        allauth_context.request,
        app=RATE_LIMIT_APP,
        action="login_failed",
        key=f"mfa-auth-user-{user.pk}",
    )
