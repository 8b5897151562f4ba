"""Build the search indexes anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from blog.search.index import MODELS, build, words_table


class Command(BaseCommand):
    help = "Build the search indexes of posts and people anew. Nobody can write to them meanwhile."

    def handle(self, **options: Any) -> None:
        for model in MODELS:
            build(model, connection)
            self.stdout.write(f"{words_table(model)} is complete.")
