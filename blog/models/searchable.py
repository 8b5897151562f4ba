"""Stored search text of a row, which the triggers of `blog.search.index` put into the index."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from ..search.text import search_text


class SearchTextField(models.TextField[str | None, str | None]):
    """Words of the model's `search_fields`, normalised whenever the row is saved.

    NULL means that an older version of the site wrote the row: `blog.search.index` fills it in.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"null": True, "editable": False})

    def deconstruct(self) -> tuple[str, str, Any, dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        text = build_search_text(model_instance)
        setattr(model_instance, self.attname, text)
        return text


class SearchableModel(models.Model):
    """Row that is found by the words of its `search_fields`."""

    search_fields: ClassVar[tuple[str, ...]]

    search_text = SearchTextField()

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Any = None, **kwargs: Any) -> None:
        if update_fields is not None and not {*self.search_fields}.isdisjoint(update_fields):
            update_fields = {*update_fields, "search_text"}
        super().save(*args, update_fields=update_fields, **kwargs)


def build_search_text(row: Any) -> str:
    return search_text(" ".join(getattr(row, name) for name in row.search_fields))
