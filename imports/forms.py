from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import User

from .models import ImportTask
from .people import PROFILE

CHECKBOXES = forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"})
OPTION_LABELS = {
    "following": _("Follow the people you followed"),
    "mutes": _("Mute the people you had muted"),
    "blocks": _("Block the people you had blocked"),
    PROFILE: _("Replace the words about you on your profile"),
}


class ConfirmForm(forms.Form):
    """Years and options of a previewed import."""

    years = forms.TypedMultipleChoiceField(
        label=_("Years"), coerce=int, required=False, widget=CHECKBOXES
    )
    options = forms.MultipleChoiceField(label=_("Also"), required=False, widget=CHECKBOXES)

    def __init__(self, *args: Any, task: ImportTask, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task = task
        self.counts = {int(year): count for year, count in task.preview.get("years", {}).items()}
        choices = [(year, f"{year} ({count:,})") for year, count in self.counts.items()]
        self._field("years").choices = choices
        self._field("options").choices = [
            (name, label) for name, label in OPTION_LABELS.items() if name in self._offered()
        ]
        if self.post_count(self.counts) <= settings.IMPORT_MAX_POSTS:
            self.initial.setdefault("years", list(self.counts))

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _offered(self) -> set[str]:
        people = self.task.preview.get("people", {})
        offered = {kind for kind, found in people.items() if found["found"]}
        return offered | ({PROFILE} if self.task.preview.get("about_me") else set())

    def post_count(self, years: Any) -> int:
        return sum(self.counts[year] for year in years)

    @property
    def is_too_large(self) -> bool:
        """Whether some years have to be left out."""
        return self.post_count(self.counts) > settings.IMPORT_MAX_POSTS

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        require_confirmable_account(self.task.owner)
        if not data["years"] and not data["options"]:
            raise ValidationError(_("Choose at least one year."), code="nothing")
        if self.post_count(data["years"]) > settings.IMPORT_MAX_POSTS:
            raise ValidationError(
                _("One import can bring %(limit)s posts at most. Choose fewer years."),
                code="too_many",
                params={"limit": f"{settings.IMPORT_MAX_POSTS:,}"},
            )
        return data

    def save(self) -> bool:
        """Begin the import; False if the preview is over."""
        years = self.cleaned_data["years"]
        return self.task.confirm(
            years=years, options=self.cleaned_data["options"], rows=self.post_count(years)
        )


def require_confirmable_account(owner: User) -> None:
    if not owner.confirmed_email:
        raise ValidationError(_("Please confirm your e-mail address first."), code="unconfirmed")
    begins_at = owner.date_joined + timedelta(days=settings.IMPORT_MIN_ACCOUNT_AGE_DAYS)
    if begins_at > timezone.now():
        raise ValidationError(
            _("Your account is too new to import posts. Please come back tomorrow."),
            code="new_account",
        )
