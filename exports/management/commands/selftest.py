"""The chain of an export, tried from a shell."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exports.staff import self_test


class Command(BaseCommand):
    help = (
        "Runs a small job through database, queue, worker, progress and mail, and says in one line which link of the "
        "chain is broken. Exits with 0 if none is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", metavar="ADDRESS", help="where the mail goes; by default the first of ADMINS"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["to"] or next((address for _, address in settings.ADMINS), None)
        if not address:
            raise CommandError("Where should the mail go? Give --to an address, or set ADMINS.")
        test = self_test.start(address)
        while test.passed is None:
            time.sleep(0.2)  # the row alone tells of the worker: nothing wakes another process
            self_test.update_verdict(test)
        if not test.passed:
            raise CommandError(test.verdict)
        self.stdout.write(test.verdict)
