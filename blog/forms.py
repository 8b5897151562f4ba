"""What people type."""

import unicodedata
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .models import POST_LENGTH, Post, User


def validate_visible(text: str) -> None:
    """Refuse a text of nothing but spaces and invisible characters."""
    if all(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Zs"} for character in text):
        raise ValidationError(_("Your post has nothing to see in it. Write a few words first."), code="blank")


def validate_storable(text: str) -> None:
    if "\0" in text:
        raise ValidationError(
            _("Your post holds a NUL character, which cannot be stored. Please take it out."), code="nul"
        )


def validate_length(text: str) -> None:
    if len(text) > POST_LENGTH:
        raise ValidationError(
            _("Your post has %(length)d characters; %(limit)d are allowed."),
            code="too_long",
            params={"length": len(text), "limit": POST_LENGTH},
        )


class PostBodyField(forms.CharField):
    """Text counted as it will be stored: trimmed, each line break one character.

    It has no `max_length`, because that would become a `maxlength` attribute, and browsers count
    UTF-16 units: they would cut an emoji in two where the server still has room.
    """

    widget = forms.Textarea
    limit = POST_LENGTH
    default_error_messages = {"required": _("Your post is empty. Write a few words first.")}
    default_validators = [validate_visible, validate_length]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = [validate_storable, *self.default_validators]

    def to_python(self, value: Any) -> str:
        return super().to_python(str(value or "").replace("\r\n", "\n").replace("\r", "\n")) or ""


class PostForm(forms.ModelForm[Post]):
    body = PostBodyField(
        label=_("What would you like to say?"),
        widget=forms.Textarea(
            attrs={
                "class": "form-control",
                "rows": 3,
                "dir": "auto",
                "aria-describedby": "post-limit post-error",
                "data-limit": POST_LENGTH,
            }
        ),
    )

    class Meta:
        model = Post
        fields = ["body"]


class PostAdminForm(forms.ModelForm[Post]):
    body = PostBodyField(label=_("Text"), widget=AdminTextareaWidget)

    class Meta:
        model = Post
        fields = ["author", "body"]


class LanguageField(forms.ChoiceField):
    """One of the site's languages, or empty for the browser's own."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["choices"] = [("", _("The browser's own")), *settings.LANGUAGES]
        super().__init__(required=False, **kwargs)


class PersonCreationForm(AdminUserCreationForm[User]):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class PersonChangeForm(UserChangeForm[User]):
    language = LanguageField(label=_("Language"))

    class Meta(UserChangeForm.Meta):
        model = User
        fields = "__all__"
