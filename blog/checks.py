"""System check of the search index."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import connections

from .search.index import MODELS, find_faults, words_table


def check_search_index(
    *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    return [
        Warning(
            f"The search index {words_table(model)} is damaged: {', '.join(faults)}.",
            hint="Run: python manage.py rebuild_search_index",
            id="blog.W001",
        )
        for alias in databases or []
        for model in MODELS
        if (faults := find_faults(model, connections[alias]))
    ]
