"""The kinds of archive that can be asked for. All else knows a kind only by what is said here."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_stubs_ext import StrOrPromise

from blog.models import User

from . import account, posts
from .coverage import LEFT_OUT, LeftOut
from .sections import PARTS

ZIP = "application/zip"


@dataclass(frozen=True)
class Content:
    """A file in an archive, in words for those who may ask for it."""

    file_name: str
    title: StrOrPromise
    words: StrOrPromise


@dataclass(frozen=True)
class Words:
    """How pages and mails speak of one kind. Those with a number in them agree with `rows`; `label` is for staff."""

    label: StrOrPromise
    title: StrOrPromise
    heading: StrOrPromise
    offer: StrOrPromise
    promise: StrOrPromise
    button: StrOrPromise
    unit: StrOrPromise
    progress: StrOrPromise
    subject: StrOrPromise
    failure_subject: StrOrPromise
    delivery: StrOrPromise
    delivery_of_nothing: StrOrPromise
    failure: StrOrPromise
    comfort: StrOrPromise


@dataclass(frozen=True)
class Kind:
    """How one kind of archive is made, and spoken of.

    `rows` is what commands call its rows, and `count` estimates their number; `chunks` yields the archive's bytes in
    order, each with the number of rows in it, at most as many as it was asked for at a time. What is `left_out` is read
    before asking.
    """

    name: str
    file_name: str
    content_type: str
    rows: str
    count: Callable[[User], int]
    chunks: Callable[[User, int], Generator[tuple[int, bytes]]]
    contents: tuple[Content, ...]
    left_out: tuple[LeftOut, ...]
    words: Words

    @property
    def is_zip(self) -> bool:
        return self.content_type == ZIP

    def progress(self, rows_done: int, rows_total: int) -> str:
        """ "1,200 of 5,000 posts"; the total is an estimate, and is never shown smaller than what is done."""
        total = max(rows_done, rows_total)
        return self.words.progress % {
            "rows": total,
            "done": intcomma(rows_done),
            "total": intcomma(total),
        }

    def delivery(self, rows: int) -> str:
        """What the mail with the archive begins with."""
        if not rows:
            return str(self.words.delivery_of_nothing)
        return self.words.delivery % {"rows": rows, self.rows: intcomma(rows)}


POSTS = Kind(
    "posts",
    "posts.json",
    "application/json",
    "posts",
    posts.count,
    posts.chunks,
    (Content("posts.json", _("Your posts"), _("All that you wrote, oldest first, with times.")),),
    (),
    Words(
        label=_("Posts"),
        title=_("Your posts"),
        heading=_("Export of your posts"),
        offer=_("Take your posts with you"),
        promise=_("We put all that you wrote into one file and mail it to you."),
        button=_("Export your posts"),
        unit=_("Posts"),
        progress=ngettext_lazy("%(done)s of %(total)s post", "%(done)s of %(total)s posts", "rows"),
        subject=_("Your blog posts"),
        failure_subject=_("Your blog posts could not be exported"),
        delivery=ngettext_lazy(
            "Here is the archive that you asked for: your %(posts)s post.",
            "Here is the archive that you asked for: all your %(posts)s posts, oldest first.",
            "rows",
        ),
        delivery_of_nothing=_(
            "You asked for an archive of your posts. You have not written any yet, so it is empty, but it is a valid "
            "archive all the same."
        ),
        failure=_("We are sorry: the archive of your posts that you asked for could not be built."),
        comfort=_(
            "Your posts are safe, and nothing of them was changed. You can ask again at any time:"
        ),
    ),
)

ACCOUNT = Kind(
    "account",
    "account.zip",
    ZIP,
    "entries",
    account.count,
    account.chunks,
    (
        *(Content(part.file_name, part.title, part.words) for part in PARTS),
        Content(
            account.MANIFEST,
            _("The table of contents"),
            _("How many entries each file has, and its checksum."),
        ),
        Content(account.README, _("About the archive"), _("What you read here, in your language.")),
    ),
    LEFT_OUT,
    Words(
        label=_("Account"),
        title=_("Your account"),
        heading=_("Export of your account"),
        offer=_("Take your whole account with you"),
        promise=_(
            "Posts, messages, followers, settings and all else that is yours, as files in one zip, by e-mail."
        ),
        button=_("Export your account"),
        unit=_("Entries"),
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
        delivery_of_nothing=_("Here is the archive of your account that you asked for."),
        failure=_(
            "We are sorry: the archive of your account that you asked for could not be built."
        ),
        comfort=_(
            "Your account is safe, and nothing of it was changed. You can ask again at any time:"
        ),
    ),
)

KINDS = {kind.name: kind for kind in (POSTS, ACCOUNT)}
