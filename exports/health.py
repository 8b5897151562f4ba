"""Readiness check of the storage of archives."""

from django.core.files.base import ContentFile

from microblog import health

from .models.task import archive_storage

STORAGE_CACHE_SECONDS = 60
PROBE_NAME = "probe"


def check_storage() -> None:
    """Write a file and delete it.

    The name is fixed and deleted first, so that files whose deletion failed do not pile up.
    """
    storage = archive_storage()
    storage.delete(PROBE_NAME)
    storage.delete(storage.save(PROBE_NAME, ContentFile(b"")))


def register() -> None:
    # A bucket charges for each request, so the result is cached.
    health.register("storage", check_storage, cache_seconds=STORAGE_CACHE_SECONDS)
