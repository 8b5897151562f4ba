"""What people type about their accounts."""

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

# By the codes of Django's own errors, whose words address people formally in some languages.
ERRORS = {
    "required": _("Please fill this in."),
    "max_length": _("This has %(show_value)d characters; %(limit_value)d are allowed."),
    "min_length": _("This has %(show_value)d characters; at least %(limit_value)d are needed."),
    "null_characters_not_allowed": _(
        "This holds a NUL character, which cannot be stored. Please take it out."
    ),
}
EMAIL_ERRORS = {"invalid": _("This is not an e-mail address.")}


class OurWords(forms.BaseForm):
    """Says in the site's own words what is wrong with a field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.error_messages |= ERRORS | (
                EMAIL_ERRORS if isinstance(field, forms.EmailField) else {}
            )

    def add_error(self, field: str | None, error: Any) -> None:
        # The one text that allauth has in its forms: what adapters and validators say are exceptions.
        if field == "password2" and not isinstance(error, ValidationError):
            error = ValidationError(
                _("The two passwords are not the same."), code="password_mismatch"
            )
        super().add_error(field, error)


class LoginForm(OurWords, allauth_forms.LoginForm):  # type: ignore[misc]
    pass


class SignupForm(OurWords, allauth_forms.SignupForm):  # type: ignore[misc]
    """Takes an address as its own unless an account has it: one that somebody merely wants to change to is free."""

    def validate_unique_email(self, value: str) -> str:
        confirmed = EmailAddress.objects.filter(email=value, verified=True)
        self.account_already_exists = (
            confirmed.exists() or User.objects.filter(email__lower=value).exists()
        )
        return value

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # as long as making an account takes
        return super().try_save(request)


class AddEmailForm(OurWords, allauth_forms.AddEmailForm):  # type: ignore[misc]
    pass


class ChangePasswordForm(OurWords, allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordForm(OurWords, allauth_forms.SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordForm(OurWords, allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    """Mails a link only to the address that the account has, not to one that it is to be changed to."""

    users: list[User]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [user for user in self.users if user.email.lower() == email.lower()]
        return email


class ResetPasswordKeyForm(OurWords, allauth_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(OurWords, allauth_forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class CodeForm(OurWords, mfa_forms.AuthenticateForm):  # type: ignore[misc]
    pass


class CodeAgainForm(OurWords, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class FirstCodeForm(OurWords, totp_forms.ActivateTOTPForm):  # type: ignore[misc]
    pass


class DeleteAccountForm(OurWords, forms.Form):
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
