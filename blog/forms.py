"""What people type."""

import unicodedata
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import MESSAGE_LENGTH, POST_LENGTH, Post, User, time_zones

TEXT_ATTRIBUTES = {"class": "form-control", "dir": "auto", "data-limit": POST_LENGTH}
REGIONS = {
    *("Africa", "America", "Antarctica", "Arctic", "Asia"),
    *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
}


def validate_visible(text: str) -> None:
    """Refuse a text of nothing but spaces and invisible characters."""
    if all(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Zs"} for character in text):
        raise ValidationError(_("Your post has nothing to see in it. Write a few words first."), code="blank")


def validate_storable(text: str) -> None:
    if "\0" in text:
        raise ValidationError(
            _("Your post holds a NUL character, which cannot be stored. Please take it out."), code="nul"
        )


class PostBodyField(forms.CharField):
    """Text of up to `limit` characters, counted as it will be stored: trimmed, each line break one character.

    It has no `max_length`, because that would become a `maxlength` attribute, and browsers count
    UTF-16 units: they would cut an emoji in two where the server still has room.
    """

    widget = forms.Textarea
    default_error_messages = {"required": _("Your post is empty. Write a few words first.")}

    def __init__(self, *, limit: int = POST_LENGTH, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit
        self.validators = [validate_storable, validate_visible, self.validate_length]

    def to_python(self, value: Any) -> str:
        return super().to_python(str(value or "").replace("\r\n", "\n").replace("\r", "\n")) or ""

    def validate_length(self, text: str) -> None:
        if len(text) > self.limit:
            raise ValidationError(
                _("Your post has %(length)d characters; %(limit)d are allowed."),
                code="too_long",
                params={"length": len(text), "limit": self.limit},
            )


class PostForm(forms.ModelForm[Post]):
    body = PostBodyField(
        label=_("What would you like to say?"),
        widget=forms.Textarea(attrs=TEXT_ATTRIBUTES | {"rows": 3, "aria-describedby": "post-limit post-error"}),
    )

    class Meta:
        model = Post
        fields = ["body"]


class PostEditForm(PostForm):
    body = PostBodyField(label=_("Your post"), widget=PostForm.base_fields["body"].widget)

    def save(self, commit: bool = True) -> Post:
        if self.has_changed():
            self.instance.edited_at = timezone.now()
        return super().save(commit)


class MessageForm(forms.Form):
    body = PostBodyField(
        label=_("Your message"),
        limit=MESSAGE_LENGTH,
        widget=forms.Textarea(
            attrs=TEXT_ATTRIBUTES
            | {"data-limit": MESSAGE_LENGTH, "rows": 2, "aria-describedby": "message-limit message-error"}
        ),
        error_messages={
            "required": _("Your message is empty. Write a few words first."),
            "blank": _("Your message has nothing to see in it. Write a few words first."),
            "nul": _("Your message holds a NUL character, which cannot be stored. Please take it out."),
            "too_long": _("Your message has %(length)d characters; %(limit)d are allowed."),
        },
    )


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


class TimeZoneField(forms.ChoiceField):
    """A zone by region and city, or empty for the browser's own. What lies outside the regions is an old spelling."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["choices"] = _zone_choices
        super().__init__(required=False, **kwargs)


def _zone_choices() -> list[tuple[Any, Any]]:
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zones()):
        region, _slash, city = name.partition("/")
        if region in REGIONS:
            regions.setdefault(region, []).append((name, city.replace("_", " ")))
    return [("", _("The browser's own")), ("UTC", "UTC"), *regions.items()]


class ProfileForm(forms.ModelForm[User]):
    about_me = PostBodyField(
        label=_("About me"),
        required=False,
        widget=forms.Textarea(attrs=TEXT_ATTRIBUTES | {"rows": 4, "aria-describedby": "about-hint about-error"}),
        error_messages={
            "blank": _("There is nothing to see in this."),
            "nul": _("This holds a NUL character, which cannot be stored. Please take it out."),
            "too_long": _("This has %(length)d characters; %(limit)d are allowed."),
        },
    )
    language = LanguageField(label=_("Language"), widget=forms.Select(attrs={"class": "form-select"}))
    time_zone = TimeZoneField(label=_("Time zone"), widget=forms.Select(attrs={"class": "form-select"}))

    class Meta:
        model = User
        fields = ["about_me", "language", "time_zone"]


class PersonCreationForm(AdminUserCreationForm[User]):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class PersonChangeForm(UserChangeForm[User]):
    language = LanguageField(label=_("Language"))

    class Meta(UserChangeForm.Meta):
        model = User
        fields = "__all__"
