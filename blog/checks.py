"""System check of the search index."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import connections

from .search.index import INDEXES, find_faults


def check_search_index(
    *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    return [
        Warning(
            f"The search index {index.words_table} is damaged: {', '.join(faults)}.",
            hint="Run: python manage.py rebuild_search_index",
            id="blog.W001",
        )
        for alias in databases or []
        for index in INDEXES
        if (faults := find_faults(index, connections[alias]))
    ]
