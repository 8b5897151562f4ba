"""Readiness checks of the worker, the sweeper and the storage of archives."""

from django.core.files.base import ContentFile

from microblog import health

from . import queue_position
from .models import SweeperHeartbeat
from .models.task import archive_storage

HEARTBEAT_SECONDS = 60  # a worker or sweeper whose last heartbeat is older counts as dead
STORAGE_CACHE_SECONDS = 60
PROBE_NAME = "probe"


def check_worker() -> None:
    if queue_position.worker_count(heartbeat_within=HEARTBEAT_SECONDS) == 0:
        raise health.NotReady(f"no worker heartbeat in the last {HEARTBEAT_SECONDS} seconds")


def check_sweeper() -> None:
    if not SweeperHeartbeat.objects.within(HEARTBEAT_SECONDS).exists():
        raise health.NotReady(f"no sweeper heartbeat in the last {HEARTBEAT_SECONDS} seconds")


def check_storage() -> None:
    """Write a file and delete it.

    The name is fixed and deleted first, so that files whose deletion failed do not pile up.
    """
    storage = archive_storage()
    storage.delete(PROBE_NAME)
    storage.delete(storage.save(PROBE_NAME, ContentFile(b"")))


def register() -> None:
    health.register("worker", check_worker)
    health.register("sweeper", check_sweeper)
    # A bucket charges for each request, so the result is cached.
    health.register("storage", check_storage, cache_seconds=STORAGE_CACHE_SECONDS)
