"""Uploads: checked by their contents, and stored until the import is over."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from blog.models import User
from tasks import broker, jobs

from .archives import open_archive
from .models import ImportTask, upload_storage
from .phases import delete_file, limits
from .readers import find_reader

MAX_NAME_LENGTH = 255
FOLDER = "imports"
FORM_BYTES = 100_000
"""Size of the rest of an upload's form."""
SLOT_SECONDS = 600
"""When the slot of an upload is free again whose process died."""
RETRY_SECONDS = 60


class ImportRejected(Exception):
    """An import that cannot begin now; `message` is for the user."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def create_task(owner: User, file: UploadedFile[Any]) -> ImportTask:
    """Store an upload and enqueue its preview.

    Raise ArchiveError for a file that is no archive, and ImportRejected if another import is in
    progress. Then nothing is kept.
    """
    _require_none_in_progress(owner)
    stream: Any = file.file
    source = find_reader(open_archive(stream, file.name or "", limits())).name
    task_id = uuid.uuid4()
    file.seek(0)
    name = upload_storage().save(f"{FOLDER}/{task_id}.upload", file)
    try:
        task, is_new = _get_or_create(
            owner,
            id=task_id,
            source=source,
            upload=name,
            upload_name=(file.name or "")[:MAX_NAME_LENGTH],
            upload_bytes=file.size or 0,
            language=get_language() or "",
        )
    except BaseException:
        delete_file(name)
        raise
    if not is_new:
        delete_file(name)
        raise ImportRejected(_in_progress_message())
    return task


def _get_or_create(owner: User, **fields: Any) -> tuple[ImportTask, bool]:
    with transaction.atomic():
        # Lock the owner: a concurrent upload waits here, and then finds this import.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if other := owner.import_tasks.in_progress().first():
            return other, False
        task, is_new = ImportTask.objects.get_or_create_unfinished(owner, **fields)
        transaction.on_commit(partial(jobs.enqueue_task, task), robust=True)
        return task, is_new


def _require_none_in_progress(owner: User) -> None:
    if owner.import_tasks.in_progress().exists():
        raise ImportRejected(_in_progress_message())


def _in_progress_message() -> str:
    return _("You have an import in progress already. End it before you upload another archive.")


@contextmanager
def upload_slot() -> Iterator[bool]:
    """Hold one of IMPORT_MAX_UPLOADS slots; False if all are taken.

    Enter it before the body is read. Without the cache, nothing is limited.
    """
    keys = (f"import-upload:{number}" for number in range(settings.IMPORT_MAX_UPLOADS))
    slot = next((key for key in keys if cache.add(key, 1, SLOT_SECONDS)), None)
    try:
        yield slot is not None
    finally:
        if slot is not None:
            cache.delete(slot)


def busy_message() -> str:
    return _("Many archives are being uploaded at the moment. Please try again in a minute.")


def is_too_large(request: HttpRequest) -> bool:
    """Tell by its header whether a body is too large, before it is read."""
    try:
        size = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return True
    return size > settings.IMPORT_MAX_BYTES + FORM_BYTES


def cancel(task: ImportTask) -> bool:
    """Cancel or discard an import, and delete its upload; False if it has ended."""
    if not (task.cancel() or task.discard()):
        return False
    broker.remove_job(task.job_id)
    delete_upload(task)
    return True


def delete_upload(task: ImportTask) -> None:
    if task.upload:
        delete_file(str(task.upload.name))
        ImportTask.objects.filter(pk=task.pk).update(upload="")
