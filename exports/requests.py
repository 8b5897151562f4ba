"""Requests for an export, from the pages, the API and staff."""

import logging
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from blog.formatting import exact_time
from blog.models import User
from tasks import jobs

from .archive import build as archive
from .archive.kinds import KINDS, Kind
from .models import ExportTask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestOption:
    """Kind of archive, and the task that prevents another request: unfinished or too recent."""

    kind: Kind
    unfinished_task: ExportTask | None
    recent_task: ExportTask | None

    @property
    def is_available(self) -> bool:
        return self.unfinished_task is None and self.recent_task is None


class RequestRejected(Exception):
    """Request that is refused for now; `message` is for the user."""

    message: str


class CooldownActive(RequestRejected):
    """The last export of this kind is more recent than EXPORT_COOLDOWN."""

    def __init__(self, last_task: ExportTask) -> None:
        self.last_task = last_task
        message = _("Your last archive is quite new. You can ask for another at %(moment)s.")
        self.message = message % {"moment": exact_time(last_task.next_request_at)}
        super().__init__(last_task)


class DiskFull(RequestRejected):
    """Less than EXPORT_MIN_FREE bytes are free."""

    def __init__(self) -> None:
        self.message = _(
            "We are short of disk space and cannot build archives now. Please try again later."
        )
        super().__init__()


def request_options(owner: User) -> dict[str, RequestOption]:
    unfinished = {task.kind: task for task in owner.export_tasks.unfinished()}
    recent = {task.kind: task for task in owner.export_tasks.in_cooldown()}
    return {
        name: RequestOption(
            kind=kind, unfinished_task=unfinished.get(name), recent_task=recent.get(name)
        )
        for name, kind in KINDS.items()
    }


def request_export(owner: User, kind: str) -> tuple[ExportTask, bool]:
    """Get or create the unfinished task of this kind and enqueue it; return it and `is_new`.

    Raise CooldownActive or DiskFull.
    """
    if recent_task := request_options(owner)[kind].recent_task:
        raise CooldownActive(recent_task)
    task, is_new = create_task(owner, kind, get_language() or "")
    if is_new:
        # The row is saved, so a broker that is down must not fail the request: the sweeper
        # enqueues the task later.
        transaction.on_commit(partial(jobs.enqueue_task, task), robust=True)
    return task, is_new


def create_task(
    owner: User, kind: str, language: str, actor: User | None = None
) -> tuple[ExportTask, bool]:
    """Get or create the unfinished task, without cooldown; the caller enqueues it.

    `actor` is the member of staff who requests it for the owner. Raise DiskFull.
    """
    if not archive.has_disk_space():
        logger.error("Export request rejected: less than EXPORT_MIN_FREE bytes are free.")
        raise DiskFull
    return ExportTask.objects.request(
        owner, kind, actor=actor, language=language, rows_total=KINDS[kind].count_rows(owner)
    )
