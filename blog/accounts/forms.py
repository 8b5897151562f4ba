"""Forms of the account pages."""

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from allauth.mfa.totp import forms as totp_forms
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from .. import drafts, formatting
from ..models import User
from . import second_factor
from .adapter import RATE_LIMIT_APP
from .allauth_internals import check_rate_limit, ratelimit

# By error code. Replaces Django's messages, which address users formally in some languages.
FIELD_ERROR_MESSAGES = {
    "required": _("This field is required."),
    "max_length": _("That's %(show_value)d characters; the limit is %(limit_value)d."),
    "min_length": _("That's %(show_value)d characters; at least %(limit_value)d are required."),
    "null_characters_not_allowed": _(
        "This contains a NUL character, which can't be stored. Please remove it."
    ),
}
MAX_INPUT_LENGTH = 500
EMAIL_ERROR_MESSAGES = {"invalid": _("Enter a valid email address.")}


def limit_length(field: forms.CharField) -> None:
    """Limit the length of a field that has no limit; new passwords have a lower one.

    SQLite refuses to search for a name of 50,000 characters, and hashing long texts takes long.
    """
    if field.max_length is None:
        field.max_length = MAX_INPUT_LENGTH
        field.validators.append(MaxLengthValidator(MAX_INPUT_LENGTH))


class CustomMessagesMixin(forms.BaseForm):
    """Form mixin with this site's error messages instead of Django's and django-allauth's.

    It also limits the length of every field.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                limit_length(field)
            field.error_messages |= FIELD_ERROR_MESSAGES
            if isinstance(field, forms.EmailField):
                field.error_messages |= EMAIL_ERROR_MESSAGES

    def add_error(self, field: str | None, error: Any) -> None:
        # A plain string is allauth's own message. Errors of adapters and validators are exceptions.
        if field == "password2" and not isinstance(error, ValidationError):
            error = ValidationError(_("The two passwords don't match."), code="password_mismatch")
        super().add_error(field, error)


class LoginForm(CustomMessagesMixin, allauth_forms.LoginForm):
    draft = forms.CharField(
        max_length=drafts.MAX_ENCODED_LENGTH,
        required=False,
        strip=False,
        widget=forms.HiddenInput,
    )

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Sign in, and keep the draft of the form that asked to."""
        drafts.keep(request, self.cleaned_data["draft"])
        response: HttpResponse = super().login(request, redirect_url)
        return response


class SignupForm(CustomMessagesMixin, allauth_forms.SignupForm):
    """Sign-up that reserves the name and does the same work for a known and a new address.

    Only the mail differs (`AccountAdapter.send_confirmation_mail`): a visitor cannot tell whether
    the address has an account (enumeration).
    """

    def validate_unique_email(self, value: str) -> str:
        return value

    def save(self, request: HttpRequest) -> User:
        adapter = get_adapter()
        # Hash the password outside of the transaction, which blocks other writers on SQLite.
        user: User = adapter.save_user(request, adapter.new_user(request), self, commit=False)
        user.email, user.is_confirmed = "", False
        with transaction.atomic():
            user.save()
            EmailAddress.objects.create(user=user, email=self.cleaned_data["email"], primary=True)
        return user


class AddEmailForm(CustomMessagesMixin, allauth_forms.AddEmailForm):
    user: User

    def clean_email(self) -> str:
        if self.user.is_staff and settings.STAFF_SECOND_FACTOR:
            # A thief with the password could have the link for two-step verification sent to them.
            raise ValidationError(
                _("Staff can't change their own email address. Ask a superuser to do it."),
                code="staff",
            )
        email: str = super().clean_email()
        return email

    def save(self, request: HttpRequest) -> EmailAddress:
        with transaction.atomic():
            # Lock the user, so that two concurrent requests cannot both add the address.
            User.objects.select_for_update(no_key=True).get(pk=self.user.pk)
            address: EmailAddress = super().save(request)
        return address


class ChangePasswordForm(CustomMessagesMixin, allauth_forms.ChangePasswordForm):
    pass


class SetPasswordForm(CustomMessagesMixin, allauth_forms.SetPasswordForm):
    pass


class ResetPasswordForm(CustomMessagesMixin, allauth_forms.ResetPasswordForm):
    users: list[User]

    def clean_email(self) -> str:
        """Exclude users who have the address only as an unconfirmed change of address."""
        email: str = super().clean_email()
        self.users = [user for user in self.users if user.email.lower() == email.lower()]
        return email


class ResetPasswordKeyForm(CustomMessagesMixin, allauth_forms.ResetPasswordKeyForm):
    """New password, with the offer to turn off two-step verification that is only a few days old.

    A thief may have turned it on: without the offer, the new password would not let the owner in.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.removable = second_factor.find_removable(self.user)
        if self.removable:
            moment = formatting.exact_time(self.removable.created_at)
            self.fields["remove_factor"] = forms.BooleanField(
                label=_("Turn off two-step verification"),
                help_text=_("It was set up on %(moment)s. Tick this if that wasn't you.")
                % {"moment": moment},
                required=False,
            )

    def save(self) -> None:
        super().save()
        if self.removable and self.cleaned_data["remove_factor"]:
            second_factor.remove(self.removable)


class ReauthenticateForm(CustomMessagesMixin, allauth_forms.ReauthenticateForm):
    pass


class CodeMixin(CustomMessagesMixin):
    """Form mixin that accepts each code once, and limits the wrong codes of a day.

    django-allauth remembers a used code for 30 seconds, which is less than it is valid, and counts
    the wrong codes of a quarter of an hour. A password reset lifts that limit, not the daily one.
    """

    user: User

    def clean_code(self) -> str:
        reset_limit = check_rate_limit(self.user)
        usage = ratelimit.consume(
            context.request, app=RATE_LIMIT_APP, action="code_guessed", key=str(self.user.pk)
        )
        if not usage:
            raise get_adapter().validation_error("too_many_codes")
        code: str = self.cleaned_data["code"]
        try:
            self.authenticator = second_factor.accept_code(self.user, code)
        except ValidationError:
            authentication_failed.send(
                sender=Authenticator,
                request=context.request,
                user=self.user,
                authenticator=None,
            )
            raise
        reset_limit()
        usage.rollback()
        return code


class MFAForm(CodeMixin, mfa_forms.AuthenticateForm):
    pass


class ReauthenticateMFAForm(CodeMixin, mfa_forms.ReauthenticateForm):
    pass


class ActivateMFAForm(CustomMessagesMixin, totp_forms.ActivateTOTPForm):
    secret: str

    def clean_code(self) -> str:
        code: str = super().clean_code()
        self.counter = second_factor.find_counter(self.secret, code)
        if self.counter is None:  # it expired between the two checks
            raise get_mfa_adapter().validation_error("incorrect_code")
        return code


class DeleteAccountForm(CustomMessagesMixin, forms.Form):
    password = forms.CharField(
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not get_adapter().reauthenticate(self.user, password):
            raise ValidationError(_("That's not your password."), code="incorrect_password")
        return password
