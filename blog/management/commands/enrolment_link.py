"""Print a link with which a user without an email address can turn on two-step verification."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from blog.accounts import second_factor
from blog.models import User


class Command(BaseCommand):
    help = (
        "Print a link with which a user can turn on two-step verification, for an account without"
        " an email address. Give it to that person only; it works for one hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            raise CommandError(f"There is no account named {username!r}.") from None
        self.stdout.write(second_factor.enrolment_link(user))
