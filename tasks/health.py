"""Readiness checks of the broker, the worker and the sweeper."""

from microblog import health

from . import broker
from .models import SweeperHeartbeat

HEARTBEAT_SECONDS = 60  # a worker or sweeper whose last heartbeat is older counts as dead


def check_worker() -> None:
    if broker.worker_count(heartbeat_within=HEARTBEAT_SECONDS) == 0:
        raise health.NotReady(f"no worker heartbeat in the last {HEARTBEAT_SECONDS} seconds")


def check_sweeper() -> None:
    if not SweeperHeartbeat.objects.within(HEARTBEAT_SECONDS).exists():
        raise health.NotReady(f"no sweeper heartbeat in the last {HEARTBEAT_SECONDS} seconds")


def register() -> None:
    health.register("worker", check_worker)
    health.register("sweeper", check_sweeper)
