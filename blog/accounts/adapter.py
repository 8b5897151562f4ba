"""How django-allauth behaves here: whom it lets in, its mails, and how often a password may be guessed."""

import functools
import logging
from base64 import urlsafe_b64encode
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import get_client_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from ..models import AccountMail, User
from . import jobs

logger = logging.getLogger(__name__)

APP = "allauth.account"
SIGNATURE = "Microblog"
UNKNOWN_ADDRESS = "::"
SEALED = "sealed:"  # how a second factor's secret begins that is encrypted; older ones are not
LINKS = ("http://", "https://")
INCORRECT_CODE = _("This code is not right, or too old. Try the one that your app shows now.")
WAYS_TO_REAUTHENTICATE = {
    "reauthenticate": _("Use your password instead"),
    "mfa_reauthenticate": _("Use a code instead"),
}


class AccountBackend(AuthenticationBackend):  # type: ignore[misc]
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Try an address once: tried as a username, too, it takes twice the time where there is an account."""
        if credentials.get("email") == credentials.get("username"):
            credentials.pop("username", None)
        person: User | None = super().authenticate(request, **credentials)
        return person

    def get_user(self, user_id: int) -> User | None:
        """Whoever is signed in, with what their badges say: no page pays a query of its own for them."""
        user = User.objects.find_with_badges(user_id)
        return user if user and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
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
            "Too many wrong passwords or codes. Wait a quarter of an hour, or reset your password: that helps at once."
        ),
        "username_password_mismatch": _("The name or the password is wrong."),
        "email_password_mismatch": _("The e-mail address or the password is wrong."),
        "username_taken": _("This name is taken."),
        "username_blacklisted": _("This name is reserved. Please choose another."),
        "rate_limited": _("That was too often. Please wait a little."),
    }

    # Mails: put into words in the person's language, and sent by a worker.

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Owe a mail. The row is written with whatever the request changes; the queue hears of it after commit.

        One about a private message is left to the sweeper, a minute later: whoever reads it by then is spared the mail.
        """
        user = context.get("user")
        person = user or User.objects.filter(email__lower=email.lower()).first()
        with translation.override((person and person.language) or translation.get_language()):
            mail = self.compose(
                template_prefix, email, {"email": email, "site_url": settings.SITE_URL} | context
            )
        mail.user, mail.about = user, context.get("message")
        mail.save()
        if mail.about is None:
            transaction.on_commit(functools.partial(jobs.hand_out, mail), robust=True)

    def compose(self, template_prefix: str, email: str, context: dict[str, Any]) -> AccountMail:
        """A mail whose HTML is made of the paragraphs of its text: a link is a paragraph of its own."""
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
        words = render_to_string(f"{template_prefix}_message.txt", context).strip()
        paragraphs = [
            {"text": part, "is_link": part.startswith(LINKS)} for part in words.split("\n\n")
        ]
        html = render_to_string("account/email/message.html", {"paragraphs": paragraphs})
        text = f"{words}\n\n{SIGNATURE}\n"
        return AccountMail(
            to=email, subject=self.format_email_subject(subject), text=text, html=html
        )

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell of a change at an address that was confirmed; nobody is told where there is none."""
        if address := email or user.confirmed_email:
            super().send_notification_mail(
                template_prefix, user, {"user": user} | (context or {}), address
            )

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm, and take the address from accounts that claim it and have not shown that it is theirs."""
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

    # Guessing: ten tries an account and address, a hundred an account, under whichever name it is called.

    def get_client_ip(self, request: HttpRequest) -> str:
        """Nobody's where none is known, as behind a bare unix socket: django-allauth would let nobody in there."""
        return str(get_client_ip(request) or UNKNOWN_ADDRESS)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        usages: list[ratelimit.SingleRateLimitUsage] = []
        for action, key in self._guesses(request, credentials):
            usage = ratelimit.consume(request, app=APP, action=action, key=key)
            if not usage:
                raise self.validation_error("too_many_login_attempts")
            usages += usage.usage
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(usages)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Lift the lock for an owner who has set a new password."""
        for action, key in self._guesses(request, credentials):
            ratelimit.clear(request, app=APP, action=action, key=key)

    def _guesses(self, request: HttpRequest, credentials: dict[str, Any]) -> list[tuple[str, str]]:
        account = _account(credentials)
        return [
            ("login_failed", f"{account} {self.get_client_ip(request)}"),
            ("account_guessed", account),
        ]

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        methods = super().get_reauthentication_methods(user)
        return [
            method | {"description": WAYS_TO_REAUTHENTICATE[method["id"]]} for method in methods
        ]

    def is_safe_url(self, url: str | None) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # half an IPv6 address
            return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("settings")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
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
        """What a copy of the database does not tell without the SECRET_KEY."""
        return SEALED + sealing_keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; where its key is known no longer another each time: everybody knows the codes of an empty one."""
        if not encrypted_text.startswith(SEALED):
            return encrypted_text
        try:
            return sealing_keys().decrypt(encrypted_text.removeprefix(SEALED)).decode()
        except InvalidToken:
            logger.error(
                "A second factor's secret cannot be read: SECRET_KEY_FALLBACKS lacks the key of its time."
            )
            return str(generate_totp_secret())


def sealing_keys() -> MultiFernet:
    """Keys made from SECRET_KEY, with which secrets lie sealed in the database, and from its fallbacks."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (
        salted_hmac("blog.accounts.second-factor", "", secret, algorithm="sha256").digest()
        for secret in secrets
    )
    return MultiFernet([Fernet(urlsafe_b64encode(digest)) for digest in digests])


def _account(credentials: dict[str, Any]) -> str:
    """One name for all the names of an account, whether or not there is one."""
    names = [str(credentials[key]).lower() for key in ("email", "username") if credentials.get(key)]
    owners = User.objects.filter(Q(email__lower__in=names) | Q(username__lower__in=names))
    pk = owners.order_by("pk").values_list("pk", flat=True).first()
    return names[0] if pk is None else f"#{pk}"
