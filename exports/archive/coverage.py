"""Coverage contract: an account archive has every field about users, or excludes it with a reason.

The check compares the models with the fields that `SECTIONS` really reads.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.apps import apps
from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from blog.models import User

from .sections import SECTIONS


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Fields that no account archive contains, with a description and a reason for the owner.

    `fields` are labels such as `blog.User.password`, or patterns of labels. `owner_fields` are
    fields that point to a user whose archive does not contain the row: a block is in the
    blocker's archive, not in the blocked user's.
    """

    description: StrOrPromise
    reason: StrOrPromise
    fields: tuple[str, ...] = ()
    owner_fields: tuple[str, ...] = ()


EXCLUDED = (
    Exclusion(
        description=_(
            "Your password, the secrets of your second factor and of your tokens, the keys of "
            "your sessions, and links that we mailed"
        ),
        reason=_("Whoever had them could sign in as you."),
        fields=(
            "blog.User.password",
            "mfa.Authenticator.data",
            "blog.ApiToken.digest",
            "blog.ApiToken.auth_hash",
            "usersessions.UserSession.session_key",
            "usersessions.UserSession.data",
            "sessions.Session.*",
            "account.EmailConfirmation.*",
            "blog.AccountMail.*",
        ),
    ),
    Exclusion(
        description=_("Who has blocked, muted or reported you"),
        reason=_("They rely on us not to tell."),
        owner_fields=("blog.Block.blocked", "blog.Mute.muted", "blog.Report.person"),
    ),
    Exclusion(
        description=_("What others were told because of you"),
        reason=_("It is in their archives."),
        owner_fields=("blog.Notification.actor",),
    ),
    Exclusion(
        description=_("Who on the staff did something, what came of a report, and their logs"),
        reason=_("These are records of the site, and about other people."),
        fields=(
            "blog.Post.hidden_by",
            "blog.Report.handled_by",
            "blog.Report.outcome",
            "admin.LogEntry.*",
            "staff.SelfTest.*",
        ),
    ),
    Exclusion(
        description=_("What your account is allowed to do"),
        reason=_("Staff decide about that; it is nothing that you gave us."),
        fields=(
            "blog.User.is_active",
            "blog.User.is_staff",
            "blog.User.is_superuser",
            "blog.User.groups",
            "blog.User.user_permissions",
            "auth.*",
            "contenttypes.ContentType.*",
        ),
    ),
    Exclusion(
        description=_("Your exports and imports, and how far they are"),
        reason=_(
            "You find them under “Your exports” and “Your imports”, and an archive cannot hold "
            "itself."
        ),
        fields=(
            "exports.*",
            "imports.*",
            "blog.AccountDeletion.*",
            "blog.DeletionEvent.*",
            "blog.Notification.is_listed",
        ),
    ),
    Exclusion(
        description=_("What the archive says elsewhere, and numbers that only our database needs"),
        reason=_("They would tell you nothing new."),
        fields=(
            "*.id",
            "blog.Post.import_id",
            "blog.Message.recipient",
            "blog.Participant.last_message_at",
        ),
        owner_fields=("blog.Message.sender", "blog.Participant.other"),
    ),
)


def violations(models: Iterable[type[Model]] | None = None) -> Iterator[str]:
    """Yield a sentence for each violation, for developers; by default over all installed models."""
    models = list(personal_models() if models is None else models)
    exported = {label for section in SECTIONS for label in section.field_labels()}
    owner_fields = {section.owner_field_label() for section in SECTIONS}
    owner_fields.update(label for exclusion in EXCLUDED for label in exclusion.owner_fields)
    for model in sorted(models_linked_to_users(models), key=lambda model: model._meta.label):
        for field in _local_fields(model):
            label = f"{model._meta.label}.{field.name}"
            if label not in exported and not is_excluded(label):
                yield f"{label} is neither exported nor excluded."
            elif label in exported and field.related_model is User and label not in owner_fields:
                yield f"{label} points to users whose archives do not contain its rows."
    yield from _invalid_exclusions(models, exported)


def personal_models() -> Iterator[type[Model]]:
    """Yield the models of all apps but those that declare to hold no personal data."""
    for config in apps.get_app_configs():
        if getattr(config, "has_personal_data", True):
            yield from config.get_models()


def is_excluded(label: str) -> bool:
    return any(
        fnmatchcase(label, pattern) for exclusion in EXCLUDED for pattern in exclusion.fields
    )


def models_linked_to_users(models: Iterable[type[Model]]) -> set[type[Model]]:
    """Return the models that any chain of relations, in either direction, connects with User."""
    links: dict[Any, set[Any]] = defaultdict(set)
    for model in models:
        for field in _local_fields(model):
            if field.related_model is not None:
                links[model].add(field.related_model)
                links[field.related_model].add(model)
    found: set[type[Model]] = set()
    new: set[type[Model]] = {User}
    while new:
        found |= new
        new = {other for model in new for other in links[model]} - found
    return found


def _local_fields(model: type[Model]) -> list[Field[Any, Any]]:
    return [*model._meta.local_fields, *model._meta.local_many_to_many]


def _invalid_exclusions(models: list[type[Model]], exported: set[str]) -> Iterator[str]:
    """Yield a sentence for each exclusion of a field that does not exist or is exported."""
    labels = [
        f"{model._meta.label}.{field.name}" for model in models for field in _local_fields(model)
    ]
    for exclusion in EXCLUDED:
        for pattern in (*exclusion.fields, *exclusion.owner_fields):
            if not any(fnmatchcase(label, pattern) for label in labels):
                yield f"{pattern} is excluded, but does not exist."
        for label in exported.intersection(exclusion.fields):
            yield f"{label} is both excluded and exported."
