import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from microblog.addresses import is_address
from staff import self_test


class Command(BaseCommand):
    help = (
        "Test database, queue, worker, progress and mail with a small job, and print in one line "
        "which of them is broken. Exit with 0 if none is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", metavar="ADDRESS", help="recipient of the mail (default: the first of ADMINS)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["to"] or next((address for _, address in settings.ADMINS), None)
        if not address:
            raise CommandError("No recipient. Use --to ADDRESS or set ADMINS.")
        if not is_address(address):
            raise CommandError(f"--to is {address!r}; it may be one email address without a name.")
        test = self_test.start(address)
        while test.passed is None:
            time.sleep(0.2)  # the worker reports through the row only
            self_test.update_verdict(test)
        if not test.passed:
            raise CommandError(test.verdict)
        self.stdout.write(test.verdict)
