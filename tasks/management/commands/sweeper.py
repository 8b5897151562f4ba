import logging
import signal
import threading
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections

from tasks import sweeper
from tasks.management.requirements import require_broker, require_database

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Housekeeping, every EXPORT_TICK_SECONDS: restarts exports whose worker died, requeues "
        "jobs the broker lost, retries unsent emails and deletes expired archives. Always run one "
        "alongside the workers; more than one is harmless."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep and prune once, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            require_database()
            require_broker()
            if failed := sweeper.sweep() + sweeper.prune():
                raise CommandError(f"Failed, see the log: {', '.join(failed)}.")
            return
        stopped = threading.Event()

        def stop(signum: int, frame: FrameType | None) -> None:
            stopped.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        logger.info("Sweeper started; running every %g seconds.", settings.EXPORT_TICK_SECONDS)
        pruned_at = -float("inf")
        while not stopped.is_set():
            close_old_connections()
            sweeper.sweep()
            if time.monotonic() - pruned_at > sweeper.PRUNE_INTERVAL:
                sweeper.prune()
                pruned_at = time.monotonic()
            stopped.wait(settings.EXPORT_TICK_SECONDS)
        logger.info("Sweeper stopped.")
