"""Forms of the pages and of the admin."""

import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import (
    MAX_COMMENT_LENGTH,
    MAX_HIDDEN_REASON_LENGTH,
    MAX_IMPORTED_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_POST_LENGTH,
    Post,
    Reason,
    User,
    time_zones,
)
from .notifications import notify_mention

TEXTAREA_ATTRIBUTES = {"class": "form-control", "dir": "auto", "data-limit": MAX_POST_LENGTH}
DUPLICATE_WINDOW = timedelta(minutes=1)  # a repeated text within it is a double submit
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # of Unicode
TIME_ZONE_REGIONS = {
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
}


def validate_visible(text: str) -> None:
    """Reject a text of nothing but white space and invisible characters."""
    if all(unicodedata.category(character) in INVISIBLE_CATEGORIES for character in text):
        raise ValidationError(
            _("Your post has nothing to see in it. Write a few words first."), code="blank"
        )


def validate_storable(text: str) -> None:
    if "\0" in text:
        raise ValidationError(
            _("Your post holds a NUL character, which cannot be stored. Please take it out."),
            code="nul",
        )


class UserTextField(forms.CharField):
    """Text of up to `limit` code points, counted as stored: trimmed, each line break as one.

    `max_length` is not used, because it would add a `maxlength` attribute. Browsers count UTF-16
    units for it, so they would reject texts with emoji that the server accepts.
    """

    widget = forms.Textarea
    default_error_messages = {"required": _("Your post is empty. Write a few words first.")}

    def __init__(self, *, limit: int = MAX_POST_LENGTH, **kwargs: Any) -> None:
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
    body = UserTextField(
        label=_("What would you like to say?"),
        widget=forms.Textarea(
            attrs=TEXTAREA_ATTRIBUTES | {"rows": 3, "aria-describedby": "post-limit post-error"}
        ),
    )

    class Meta:
        model = Post
        fields = ["body"]

    def save(self, commit: bool = True) -> Post:
        """Save the post and notify the users it mentions.

        A repeated submission, the same text within DUPLICATE_WINDOW, returns the first post.
        """
        with transaction.atomic():
            # Lock the author, so that two concurrent submissions run one after the other.
            author = User.objects.select_for_update(no_key=True).get(pk=self.instance.author_id)
            recent = author.posts.filter(created_at__gt=timezone.now() - DUPLICATE_WINDOW)
            duplicate = recent.filter(body=self.instance.body).newest_first().first()
            post = duplicate or super().save(commit)
            notify_mention(post)
        return post


class PostEditForm(forms.ModelForm[Post]):
    body = UserTextField(label=_("Your post"), widget=PostForm.base_fields["body"].widget)

    class Meta(PostForm.Meta):
        pass

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.source:
            widget = self.fields["body"].widget
            widget.attrs["data-limit"] = MAX_IMPORTED_LENGTH
            self.fields["body"] = UserTextField(
                label=self.fields["body"].label, limit=MAX_IMPORTED_LENGTH, widget=widget
            )

    def save(self, commit: bool = True) -> Post:
        """Save the change and notify the users it mentions."""
        with transaction.atomic():
            if self.has_changed():
                self.instance.edited_at = timezone.now()
                # Save no other field: staff may be hiding the post at the same time.
                self.instance.save(update_fields=["body", "edited_at"])
            notify_mention(self.instance)
        return self.instance


class MessageForm(forms.Form):
    body = UserTextField(
        label=_("Your message"),
        limit=MAX_MESSAGE_LENGTH,
        widget=forms.Textarea(
            attrs=TEXTAREA_ATTRIBUTES
            | {
                "data-limit": MAX_MESSAGE_LENGTH,
                "rows": 1,
                "placeholder": _("Your message"),
                "aria-describedby": "message-limit message-error",
            }
        ),
        error_messages={
            "required": _("Your message is empty. Write a few words first."),
            "blank": _("Your message has nothing to see in it. Write a few words first."),
            "nul": _(
                "Your message holds a NUL character, which cannot be stored. Please take it out."
            ),
            "too_long": _("Your message has %(length)d characters; %(limit)d are allowed."),
        },
    )


class PostAdminForm(forms.ModelForm[Post]):
    body = UserTextField(label=_("Text"), widget=AdminTextareaWidget)

    class Meta:
        model = Post
        fields = ["author", "body"]


GENERIC_TEXT_ERRORS: dict[str, Any] = {
    "blank": _("There is nothing to see in this."),
    "nul": _("This holds a NUL character, which cannot be stored. Please take it out."),
    "too_long": _("This has %(length)d characters; %(limit)d are allowed."),
}
CHOICE_ERRORS: dict[str, Any] = {"invalid_choice": _("Please choose one from the list.")}


class LanguageField(forms.ChoiceField):
    """Language of the site, or empty for that of the browser."""

    default_error_messages = CHOICE_ERRORS

    def __init__(self, **kwargs: Any) -> None:
        kwargs["choices"] = [("", _("The browser's own")), *settings.LANGUAGES]
        super().__init__(required=False, **kwargs)


class TimeZoneField(forms.ChoiceField):
    """Time zone by region and city, or empty for that of the browser.

    Names outside the regions are old spellings, and are left out.
    """

    default_error_messages = CHOICE_ERRORS

    def __init__(self, **kwargs: Any) -> None:
        kwargs["choices"] = _time_zone_choices
        super().__init__(required=False, **kwargs)


def _time_zone_choices() -> list[tuple[Any, Any]]:
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zones()):
        region, _slash, city = name.partition("/")
        if region in TIME_ZONE_REGIONS:
            regions.setdefault(region, []).append((name, city.replace("_", " ")))
    return [("", _("The browser's own")), ("UTC", "UTC"), *regions.items()]


class SettingsForm(forms.ModelForm[User]):
    """Form for a user's own settings."""

    def save(self, commit: bool = True) -> User:
        # Other fields would overwrite concurrent changes, such as staff closing the account.
        self.instance.save(update_fields=self.changed_data)
        return self.instance


class ProfileForm(SettingsForm):
    about_me = UserTextField(
        label=_("About me"),
        required=False,
        widget=forms.Textarea(
            attrs=TEXTAREA_ATTRIBUTES | {"rows": 4, "aria-describedby": "about-hint about-error"}
        ),
        error_messages=GENERIC_TEXT_ERRORS,
    )
    language = LanguageField(
        label=_("Language"), widget=forms.Select(attrs={"class": "form-select"})
    )
    time_zone = TimeZoneField(
        label=_("Time zone"), widget=forms.Select(attrs={"class": "form-select"})
    )

    class Meta:
        model = User
        fields = ["about_me", "language", "time_zone"]


class NotificationSettingsForm(SettingsForm):
    class Meta:
        model = User
        fields = ["has_message_mail", "has_mention_mail", "has_follow_mail"]
        labels = {
            "has_message_mail": _("writes me a private message"),
            "has_mention_mail": _("mentions me in a post"),
            "has_follow_mail": _("follows me"),
        }
        widgets = dict.fromkeys(fields, forms.CheckboxInput(attrs={"class": "form-check-input"}))


class ReportForm(forms.Form):
    reason = forms.ChoiceField(
        label=_("What is wrong?"),
        choices=Reason.choices,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
        error_messages={"required": _("Please choose one.")},
    )
    comment = UserTextField(
        label=_("What should staff know? (You need not write anything.)"),
        limit=MAX_COMMENT_LENGTH,
        required=False,
        widget=forms.Textarea(
            attrs=TEXTAREA_ATTRIBUTES
            | {
                "rows": 4,
                "data-limit": MAX_COMMENT_LENGTH,
                "aria-describedby": "comment-hint comment-error",
            }
        ),
        error_messages=GENERIC_TEXT_ERRORS,
    )


class HidePostForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_HIDDEN_REASON_LENGTH,
        help_text=_("The author reads this."),
        widget=AdminTextareaWidget(attrs={"rows": 3}),
    )


class UserAdminCreationForm(AdminUserCreationForm[User]):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class UserAdminChangeForm(UserChangeForm[User]):
    language = LanguageField(label=_("Language"))

    class Meta(UserChangeForm.Meta):
        model = User
        fields = "__all__"
