"""The coverage contract: every field of every model that has to do with people is in the account archive, or is left
out for a reason that they can read.

What is in it is what `PARTS` are read from, so that it cannot be said without being done.
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

from .sections import PARTS


@dataclass(frozen=True)
class LeftOut:
    """What is not in the archive, and why, in words for its owner.

    `fields` are labels, such as `blog.User.password`, or patterns of them. `ways` are fields that lead to a person
    whose archive nevertheless does not have that row: a block is in the archive of who blocks, not of who is blocked.
    """

    what: StrOrPromise
    why: StrOrPromise
    fields: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


LEFT_OUT = (
    LeftOut(
        _(
            "Your password, the secrets of your second factor and of your tokens, the keys of your sessions, and"
            " links that we mailed"
        ),
        _("Whoever had them could sign in as you."),
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
    LeftOut(
        _("Who has blocked, muted or reported you"),
        _("They rely on us not to tell."),
        ways=("blog.Block.blocked", "blog.Mute.muted", "blog.Report.person"),
    ),
    LeftOut(
        _("What others were told because of you"),
        _("It is in their archives."),
        ways=("blog.Notification.actor",),
    ),
    LeftOut(
        _("Who on the staff did something, what came of a report, and their logs"),
        _("These are records of the site, and about other people."),
        fields=(
            "blog.Post.hidden_by",
            "blog.Report.handled_by",
            "blog.Report.outcome",
            "admin.LogEntry.*",
        ),
    ),
    LeftOut(
        _("What your account is allowed to do"),
        _("Staff decide about that; it is nothing that you gave us."),
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
    LeftOut(
        _("Your exports, and how far they are"),
        _("You find them under “Your exports”, and an archive cannot hold itself."),
        fields=("exports.*", "blog.Notification.is_listed"),
    ),
    LeftOut(
        _("What the archive says elsewhere, and numbers that only our database needs"),
        _("They would tell you nothing new."),
        fields=("*.id", "blog.Message.recipient", "blog.Participant.last_message_at"),
        ways=("blog.Message.sender", "blog.Participant.other"),
    ),
)


def gaps(models: Iterable[type[Model]] | None = None) -> Iterator[str]:
    """What is wrong with the contract, in words for whoever changed a model; of all installed models, or of these."""
    every = list(apps.get_models() if models is None else models)
    exported = {label for part in PARTS for label in part.fields()}
    ways = {part.way() for part in PARTS} | {way for left in LEFT_OUT for way in left.ways}
    for model in sorted(of_people(every), key=lambda model: model._meta.label):
        for field in _fields(model):
            label = f"{model._meta.label}.{field.name}"
            if label not in exported and not is_left_out(label):
                yield f"{label} is neither exported nor left out."
            elif label in exported and field.related_model is User and label not in ways:
                yield f"{label} leads to people in whose archives its rows are not."
    yield from _stale(every, exported)


def is_left_out(label: str) -> bool:
    return any(fnmatchcase(label, pattern) for left in LEFT_OUT for pattern in left.fields)


def of_people(models: Iterable[type[Model]]) -> set[type[Model]]:
    """Those that any chain of relations, either way, joins with a person."""
    links: dict[Any, set[Any]] = defaultdict(set)
    for model in models:
        for field in _fields(model):
            if field.related_model is not None:
                links[model].add(field.related_model)
                links[field.related_model].add(model)
    found: set[type[Model]] = set()
    new: set[type[Model]] = {User}
    while new:
        found |= new
        new = {other for model in new for other in links[model]} - found
    return found


def _fields(model: type[Model]) -> list[Field[Any, Any]]:
    return [*model._meta.local_fields, *model._meta.local_many_to_many]


def _stale(models: list[type[Model]], exported: set[str]) -> Iterator[str]:
    """What is left out and does not exist, or is not left out at all."""
    labels = [f"{model._meta.label}.{field.name}" for model in models for field in _fields(model)]
    for left in LEFT_OUT:
        for pattern in (*left.fields, *left.ways):
            if not any(fnmatchcase(label, pattern) for label in labels):
                yield f"{pattern} is left out, and does not exist."
        for label in exported.intersection(left.fields):
            yield f"{label} is left out, and exported."
