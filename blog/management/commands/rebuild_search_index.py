"""Build the search indexes anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from blog.search.index import INDEXES, build


class Command(BaseCommand):
    help = "Build the search indexes of posts and people anew. Nobody can write to them meanwhile."

    def handle(self, **options: Any) -> None:
        for index in INDEXES:
            build(index, connection)
            self.stdout.write(f"{index.words_table} is complete.")
