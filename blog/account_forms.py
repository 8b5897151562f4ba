"""What people type about their accounts."""

from typing import Any
from zoneinfo import available_timezones

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth.hashers import make_password
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .forms import LanguageField
from .models import User

ABOUT_LENGTH = 280
AREAS = {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}


class SignupForm(allauth_forms.SignupForm):  # type: ignore[misc]
    """Takes an address as its own unless an account has it: one that somebody merely wants to change to is free."""

    def validate_unique_email(self, value: str) -> str:
        confirmed = EmailAddress.objects.filter(email=value, verified=True)
        self.account_already_exists = confirmed.exists() or User.objects.filter(email__lower=value).exists()
        return value

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # as long as making an account takes
        return super().try_save(request)


class ResetPasswordForm(allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    """Mails a link only to the address that the account has, not to one that it is to be changed to."""

    users: list[User]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [user for user in self.users if user.email.lower() == email.lower()]
        return email


class TimeZoneField(forms.ChoiceField):
    """A place whose clock the person goes by, or empty for UTC."""

    def __init__(self, **kwargs: Any) -> None:
        places = sorted(name for name in available_timezones() if name.partition("/")[0] in AREAS)
        named = [(name, name.replace("_", " ").replace("/", " / ")) for name in places]
        super().__init__(required=False, choices=[("", "UTC"), *named], **kwargs)


class LinesField(forms.CharField):
    """Text of several lines, counted as it will be stored: each line break one character."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        return super().to_python(str(value or "").replace("\r\n", "\n").replace("\r", "\n")) or ""


class ProfileForm(forms.ModelForm[User]):
    about_me = LinesField(
        label=_("About you"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("Everyone can read it. 280 characters at most."),
        validators=[MaxLengthValidator(ABOUT_LENGTH), ProhibitNullCharactersValidator()],
    )
    language = LanguageField(label=_("Language"), help_text=_("Of these pages, and of the e-mails that we send you."))
    time_zone = TimeZoneField(label=_("Time zone"))

    class Meta:
        model = User
        fields = ["about_me", "language", "time_zone"]


class DeleteAccountForm(forms.Form):
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
            raise forms.ValidationError(_("This is not your password."), code="incorrect_password")
        return password
