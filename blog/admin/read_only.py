"""Admin of rows that nobody edits by hand."""

from typing import Any

from django.http import HttpRequest


class ReadOnlyMixin:
    """Admin mixin that forbids adding, changing and deleting rows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
