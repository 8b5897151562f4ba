"""Forms of the account pages."""

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.totp import forms as totp_forms
from django import forms
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import User

# By error code. Replaces Django's messages, which address users formally in some languages.
FIELD_ERROR_MESSAGES = {
    "required": _("Please fill this in."),
    "max_length": _("This has %(show_value)d characters; %(limit_value)d are allowed."),
    "min_length": _("This has %(show_value)d characters; at least %(limit_value)d are needed."),
    "null_characters_not_allowed": _(
        "This holds a NUL character, which cannot be stored. Please take it out."
    ),
}
EMAIL_ERROR_MESSAGES = {"invalid": _("This is not an e-mail address.")}


class CustomMessagesMixin(forms.BaseForm):
    """Form mixin with this site's error messages instead of Django's and django-allauth's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.error_messages |= FIELD_ERROR_MESSAGES
            if isinstance(field, forms.EmailField):
                field.error_messages |= EMAIL_ERROR_MESSAGES

    def add_error(self, field: str | None, error: Any) -> None:
        # A plain string is allauth's own message. Errors of adapters and validators are exceptions.
        if field == "password2" and not isinstance(error, ValidationError):
            error = ValidationError(
                _("The two passwords are not the same."), code="password_mismatch"
            )
        super().add_error(field, error)


class LoginForm(CustomMessagesMixin, allauth_forms.LoginForm):
    pass


class SignupForm(CustomMessagesMixin, allauth_forms.SignupForm):
    def validate_unique_email(self, value: str) -> str:
        """Note whether an account uses the address; an unconfirmed change of address is no use."""
        confirmed = EmailAddress.objects.filter(email=value, verified=True)
        self.account_already_exists = (
            confirmed.exists() or User.objects.filter(email__lower=value).exists()
        )
        return value

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            # Hash as for a new account: a faster response would allow enumeration by timing.
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)


class AddEmailForm(CustomMessagesMixin, allauth_forms.AddEmailForm):
    pass


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
    pass


class ReauthenticateForm(CustomMessagesMixin, allauth_forms.ReauthenticateForm):
    pass


class MFAForm(CustomMessagesMixin, mfa_forms.AuthenticateForm):
    pass


class ReauthenticateMFAForm(CustomMessagesMixin, mfa_forms.ReauthenticateForm):
    pass


class ActivateMFAForm(CustomMessagesMixin, totp_forms.ActivateTOTPForm):
    pass


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
            raise ValidationError(_("This is not your password."), code="incorrect_password")
        return password
