"""What happens when a finished archive turns out to be damaged or gone."""

import logging

from django.db import transaction

from microblog.transactions import run_after_commit
from tasks import jobs

from .archive import build as archive
from .archive.stored import ArchiveDamaged
from .models import ExportTask

logger = logging.getLogger(__name__)


def report_damage(task: ExportTask, damage: ArchiveDamaged) -> None:
    """Fail the export, so that its owner is told and may request another; delete the file.

    Changes nothing if the archive has expired meanwhile, or if the damage is known.
    """
    name = str(task.archive.name)
    with transaction.atomic():
        if not task.lose_archive():
            return
        if mail := task.pending_mail:
            run_after_commit(jobs.enqueue_mail, mail)
    logger.error("The archive of export %s is damaged: %s", task.pk, damage)
    archive.discard(name)
