"""Items that readers yield, and rules that hold for every source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Self

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

MAX_BODY_LENGTH = 10_000
MAX_SOURCE_ID_LENGTH = 500
MAX_URL_LENGTH = 2_000
# No source but this product existed before. Posts of ours may have any past date.
FIRST_TIMESTAMP = datetime(2006, 1, 1, tzinfo=UTC)


class Reason(TextChoices):
    """Reasons why an item is not imported."""

    FOLLOWERS_ONLY = "FOLLOWERS_ONLY", _("Only for followers")
    DIRECT = "DIRECT", _("Direct message")
    CIRCLE = "CIRCLE", _("Only for a circle")
    COMMUNITY = "COMMUNITY", _("Only for a community")
    BOOST = "BOOST", _("Boost: somebody else's post, or your own once more")
    RETWEET = "RETWEET", _("Retweet of somebody else's post")
    REPOST = "REPOST", _("Repost of somebody else's post")
    FOREIGN = "FOREIGN", _("Written by somebody else")
    DELETED = "DELETED", _("You had deleted it")
    HIDDEN = "HIDDEN", _("Hidden by the staff of the site where it was written")
    OLDER_EDIT = "OLDER_EDIT", _("Older version of a post that you edited")
    DUPLICATE = "DUPLICATE", _("Twice in the archive")
    DATE = "DATE", _("Its date is missing, in the future or too far in the past")
    EMPTY = "EMPTY", _("Without text")
    TOO_LONG = "TOO_LONG", _("Longer than 10,000 characters")
    NOT_A_POST = "NOT_A_POST", _("Not a post")
    UNREADABLE = "UNREADABLE", _("Damaged, or written in a way that we cannot read")
    MISSING = "MISSING", _("Named in the archive, but not in it")


@dataclass(frozen=True, slots=True)
class ImportablePost:
    """A post of the archive's owner that was public or unlisted; `reply_to` is a source id."""

    source_id: str
    body: str
    timestamp: datetime
    edited_at: datetime | None = None
    source_url: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class ExcludedItem:
    """An item of the archive that is not imported; what is unknown about it is empty."""

    reason: Reason
    source_id: str = ""
    source_url: str = ""
    timestamp: datetime | None = None


Item = ImportablePost | ExcludedItem


@dataclass(frozen=True, slots=True)
class Summary:
    """Account, profile and names of the archive's owner.

    `following`, `mutes` and `blocks` are names: "alice" from Microblog, "alice@example.com" from
    Mastodon. `item_count` is the number of posts that the archive claims to have, and
    `missing_files` are those that it names but does not contain.
    """

    account: str = ""
    display_name: str = ""
    about_me: str = ""
    settings: Mapping[str, str | bool] = field(default_factory=dict)
    following: tuple[str, ...] = ()
    mutes: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    item_count: int | None = None
    missing_files: tuple[str, ...] = ()

    def without_nul(self) -> Self:
        """Return it without the character that PostgreSQL cannot store."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return replace(self, **{name: without_nul(value) for name, value in values.items()})


def without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, tuple):
        return tuple(map(without_nul, value))
    if isinstance(value, dict):
        return {key: without_nul(entry) for key, entry in value.items()}
    return value


def with_lines(body: str, *blocks: list[str]) -> str:
    """Append blocks of lines, such as those for attachments, each after an empty line."""
    return "\n\n".join(part for part in (body, *map("\n".join, blocks)) if part)


def with_content_warning(warning: str, body: str) -> str:
    return with_lines(f"CW: {warning}" if warning else "", [body])


def attachment_line(kind: str, description: object = "") -> str:
    """Return the line that stands for a file, such as "[image: a cat on a wall]"."""
    text = " ".join(description.split()) if isinstance(description, str) else ""
    return f"[{kind}: {text}]" if text else f"[{kind}]"


def web_url(value: object) -> str:
    """Return a link that may be shown, or an empty string."""
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        return ""
    return value if len(value) <= MAX_URL_LENGTH and value.isprintable() else ""
