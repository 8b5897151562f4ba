from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from blog.blank import is_blank
from blog.models import (
    DEFAULT_TOKEN_LIFETIME,
    MAX_TOKEN_NAME_LENGTH,
    MAX_TOKENS,
    ApiToken,
    TooManyTokens,
    User,
)

DAYS_OF_LIFETIME = {
    30: _("30 days"),
    90: _("90 days"),
    365: _("One year"),
}
NO_EXPIRY = 0


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        help_text=_("Helps you recognise it later: what will use it, and where."),
        max_length=MAX_TOKEN_NAME_LENGTH,
        error_messages={"required": _("Give it a name so you can recognise it later.")},
    )
    is_read_only = forms.BooleanField(
        label=_("Read-only"),
        help_text=_(
            "If unchecked, it can also write and delete posts, follow people and request exports "
            "on your behalf."
        ),
        required=False,
        initial=True,
    )
    days = forms.TypedChoiceField(
        label=_("Expires after"),
        choices=[*DAYS_OF_LIFETIME.items(), (NO_EXPIRY, _("No expiry"))],
        coerce=int,
        empty_value=str(DEFAULT_TOKEN_LIFETIME.days),
        required=False,
        initial=DEFAULT_TOKEN_LIFETIME.days,
        widget=forms.Select(attrs={"class": "form-select"}),
        error_messages={"invalid_choice": _("Please choose one from the list.")},
    )

    def __init__(self, owner: User, *args: Any, **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if is_blank(name):
            raise forms.ValidationError(self.fields["name"].error_messages["required"])
        return name

    def save(self) -> tuple[ApiToken, str] | None:
        """Create a token and return it with its secret.

        Return None, and add a form error, if the user has too many tokens.
        """
        days = int(self.cleaned_data["days"])
        try:
            return ApiToken.objects.issue(
                self.owner,
                name=self.cleaned_data["name"],
                is_read_only=self.cleaned_data["is_read_only"],
                lifetime=timedelta(days=days) if days else None,
            )
        except TooManyTokens:
            message = _(
                "You've reached the limit of %(most)d tokens. Revoke one you no longer need."
            )
            self.add_error(
                None, forms.ValidationError(message, code="many", params={"most": MAX_TOKENS})
            )
            return None
