"""Readiness checks of the broker, the worker and the sweeper."""

from microblog import health

from . import broker
from .broker import SILENT_SECONDS
from .models import SweeperHeartbeat


def check_worker() -> None:
    if broker.worker_count(heartbeat_within=SILENT_SECONDS) == 0:
        raise health.NotReady(f"no worker heartbeat in the last {SILENT_SECONDS} seconds")


def check_sweeper() -> None:
    if not SweeperHeartbeat.objects.within(SILENT_SECONDS).exists():
        raise health.NotReady(f"no sweeper heartbeat in the last {SILENT_SECONDS} seconds")


def register() -> None:
    health.register("worker", check_worker)
    health.register("sweeper", check_sweeper)
