"""Storages of static files, of archives and uploads, and of messages to the next page."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Errors of a disk or an object store.
STORAGE_ERRORS = (OSError, BotoCoreError, ClientError)


class DurableFileSystemStorage(FileSystemStorage):
    """Files that survive a power failure once `save` has returned."""

    def _save(self, name: str, content: Any) -> str:
        name = super()._save(name, content)  # type: ignore[misc]  # stubs lack it
        path = Path(self.path(name))
        # The name is an entry of the folder, and a new folder is an entry of the one above it.
        for saved in (path, *path.parents):
            _sync(saved)
            if saved == Path(self.location):
                break
        return name


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Compressed static files with hashes in their names, also where modules import each other."""

    support_js_module_import_aggregation = True


class MessageCookieStorage(CookieStorage):
    cookie_name = settings.MESSAGES_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """Messages in a cookie that belongs to this site alone, or in the session if it is too small.

    Sites on other ports of the same host have cookies of their own.
    """

    storage_classes = (MessageCookieStorage, SessionStorage)


def abort_uploads(
    storage: Storage, prefix: str, is_abandoned: Callable[[str, datetime], bool]
) -> None:
    """Abort abandoned multipart uploads of names that begin with `prefix`.

    A bucket keeps the parts of an interrupted upload for ever, and no listing shows them. Other
    storages have no such uploads. `is_abandoned` takes the name and the time of the beginning.
    """
    bucket: Any = getattr(storage, "bucket", None)
    if bucket is None:
        return
    for upload in bucket.multipart_uploads.filter(Prefix=prefix):
        if is_abandoned(upload.object_key, upload.initiated):
            _abort(upload)


def _abort(upload: Any) -> None:
    try:
        upload.abort()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":  # it has ended meanwhile
            raise
