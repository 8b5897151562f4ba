"""Asking for an archive, wherever that is done."""

import logging
from functools import partial

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from blog.models import User
from blog.formatting import exact_time

from . import jobs
from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportTask
from .offers import offers

logger = logging.getLogger(__name__)


class Refused(Exception):
    """No archive is built now. `words` say so to the person who asked."""

    words: str


class Cooling(Refused):
    """The last one is too new."""

    def __init__(self, last: ExportTask) -> None:
        self.last = last
        words = _("Your last archive is quite new. You can ask for another at %(moment)s.")
        self.words = words % {"moment": exact_time(last.next_request_at)}
        super().__init__(last)


class NoRoom(Refused):
    """The disk is nearly full."""

    def __init__(self) -> None:
        self.words = _(
            "We are short of disk space and cannot build archives now. Please try again later."
        )
        super().__init__()


def ask(owner: User, kind: str) -> tuple[ExportTask, bool]:
    """A new task, or the one that is under way already, and whether it is new; Cooling or NoRoom if it cannot be."""
    if last := offers(owner)[kind].cooling:
        raise Cooling(last)
    task, is_new = put_down(owner, kind, get_language() or "")
    if is_new:
        # The request stands once it is committed; a broker that is away is the sweeper's to make good.
        transaction.on_commit(partial(jobs.enqueue_export, task), robust=True)
    return task, is_new


def put_down(
    owner: User, kind: str, language: str, actor: User | None = None
) -> tuple[ExportTask, bool]:
    """The row alone, which the caller puts on the queue; `ask` without a pause, in whose place an actor may ask."""
    if not archive.has_room():
        logger.error("An export was refused: less than EXPORT_MIN_FREE bytes are free.")
        raise NoRoom
    return ExportTask.objects.request(owner.pk, kind, language, KINDS[kind].count(owner), actor)
