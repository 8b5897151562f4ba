from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from blog.models import MAX_TOKEN_NAME_LENGTH, MAX_TOKENS, ApiToken, TooManyTokens, User


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        help_text=_("So that you know it again: what will use it, and where."),
        max_length=MAX_TOKEN_NAME_LENGTH,
        error_messages={"required": _("Give it a name, so that you know it again.")},
    )
    is_read_only = forms.BooleanField(
        label=_("It may only read"),
        help_text=_(
            "Without the tick it may also write and delete posts, follow people and ask for"
            " exports, in your name."
        ),
        required=False,
        initial=True,
    )

    def __init__(self, owner: User, *args: Any, **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(*args, **kwargs)

    def save(self) -> tuple[ApiToken, str] | None:
        """Create a token and return it with its secret.

        Return None, and add a form error, if the user has too many tokens.
        """
        try:
            return ApiToken.objects.issue(self.owner, **self.cleaned_data)
        except TooManyTokens:
            message = _(
                "You have %(most)d tokens, and more there cannot be. Revoke one that you do not"
                " need any more."
            )
            self.add_error(
                None, forms.ValidationError(message, code="many", params={"most": MAX_TOKENS})
            )
            return None
