"""Kinds of archive that users can request: the only place that differs from kind to kind."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_stubs_ext import StrOrPromise

from blog.models import User

from . import account, posts
from .coverage import EXCLUDED, Exclusion
from .output import Output
from .sections import SECTIONS

ZIP = "application/zip"


@dataclass(frozen=True)
class FileDescription:
    """Name and description of a file in an archive, shown before a request."""

    file_name: str
    title: StrOrPromise
    description: StrOrPromise


@dataclass(frozen=True, kw_only=True)
class KindTexts:
    """Texts about one kind, for pages and mails.

    `progress` and `delivery` are plural-aware (`ngettext_lazy`, by the key `rows`).
    `label` is for staff.
    """

    label: StrOrPromise
    title: StrOrPromise
    heading: StrOrPromise
    request_heading: StrOrPromise
    request_description: StrOrPromise
    request_button: StrOrPromise
    rows_label: StrOrPromise
    progress: StrOrPromise
    subject: StrOrPromise
    failure_subject: StrOrPromise
    delivery: StrOrPromise
    empty_delivery: StrOrPromise
    failure: StrOrPromise
    failure_advice: StrOrPromise


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Kind of archive: how to build it and how to describe it.

    `rows_name` is the English plural for rows in command output, and the number's placeholder in
    `texts.delivery`. `count_rows` estimates the number of rows. `write` takes an owner, the output
    and a maximum number of rows per chunk; it yields the number of rows after each chunk.
    """

    name: str
    file_name: str
    content_type: str
    rows_name: str
    count_rows: Callable[[User], int]
    write: Callable[[User, Output, int], Generator[int]]
    files: tuple[FileDescription, ...]
    excluded: tuple[Exclusion, ...] = ()
    texts: KindTexts

    @property
    def is_zip(self) -> bool:
        return self.content_type == ZIP

    def progress_text(self, rows_done: int, rows_total: int) -> str:
        """Return for example "1,200 of 5,000 posts".

        The total is an estimate, so it is raised to `rows_done` where it is too low.
        """
        total = max(rows_done, rows_total)
        return self.texts.progress % {
            "rows": total,
            "done": intcomma(rows_done),
            "total": intcomma(total),
        }

    def delivery_text(self, rows: int) -> str:
        """Return the first sentence of the mail that delivers an archive."""
        if not rows:
            return str(self.texts.empty_delivery)
        return self.texts.delivery % {"rows": rows, self.rows_name: intcomma(rows)}


POSTS = Kind(
    name="posts",
    file_name="posts.json",
    content_type="application/json",
    rows_name="posts",
    count_rows=posts.count_posts,
    write=posts.write,
    files=(
        FileDescription(
            file_name="posts.json",
            title=_("Your posts"),
            description=_("All that you wrote, oldest first, with times."),
        ),
    ),
    texts=KindTexts(
        label=_("Posts"),
        title=_("Your posts"),
        heading=_("Export of your posts"),
        request_heading=_("Take your posts with you"),
        request_description=_("We put all that you wrote into one file and mail it to you."),
        request_button=_("Export your posts"),
        rows_label=_("Posts"),
        progress=ngettext_lazy("%(done)s of %(total)s post", "%(done)s of %(total)s posts", "rows"),
        subject=_("Your blog posts"),
        failure_subject=_("Your blog posts could not be exported"),
        delivery=ngettext_lazy(
            "Here is the archive that you asked for: your %(posts)s post.",
            "Here is the archive that you asked for: all your %(posts)s posts, oldest first.",
            "rows",
        ),
        empty_delivery=_(
            "You asked for an archive of your posts. You have not written any yet, so it is "
            "empty, but it is a valid archive all the same."
        ),
        failure=_("We are sorry: the archive of your posts that you asked for could not be built."),
        failure_advice=_(
            "Your posts are safe, and nothing of them was changed. You can ask again at any time:"
        ),
    ),
)

ACCOUNT = Kind(
    name="account",
    file_name="account.zip",
    content_type=ZIP,
    rows_name="entries",
    count_rows=account.count_entries,
    write=account.write,
    files=(
        *(
            FileDescription(
                file_name=section.file_name,
                title=section.title,
                description=section.description,
            )
            for section in SECTIONS
        ),
        FileDescription(
            file_name=account.MANIFEST,
            title=_("The table of contents"),
            description=_("How many entries each file has, and its checksum."),
        ),
        FileDescription(
            file_name=account.README,
            title=_("About the archive"),
            description=_("What you read here, in your language."),
        ),
    ),
    excluded=EXCLUDED,
    texts=KindTexts(
        label=_("Account"),
        title=_("Your account"),
        heading=_("Export of your account"),
        request_heading=_("Take your whole account with you"),
        request_description=_(
            "Posts, messages, followers, settings and all else that is yours, as files in one "
            "zip, by e-mail."
        ),
        request_button=_("Export your account"),
        rows_label=_("Entries"),
        progress=ngettext_lazy(
            "%(done)s of %(total)s entry", "%(done)s of %(total)s entries", "rows"
        ),
        subject=_("Your account"),
        failure_subject=_("Your account could not be exported"),
        delivery=ngettext_lazy(
            "Here is the archive of your account that you asked for: %(entries)s entry.",
            "Here is the archive of your account that you asked for: %(entries)s entries.",
            "rows",
        ),
        empty_delivery=_("Here is the archive of your account that you asked for."),
        failure=_(
            "We are sorry: the archive of your account that you asked for could not be built."
        ),
        failure_advice=_(
            "Your account is safe, and nothing of it was changed. You can ask again at any time:"
        ),
    ),
)

KINDS = {kind.name: kind for kind in (POSTS, ACCOUNT)}
