"""Readers of other services' archives. Each module with a Reader in it is a source.

    archive = open_archive(file, name)
    reader = find_reader(archive)
    reader.summary
    for item in reader.posts(): ...

Whatever the file contains, the only exception is ArchiveError.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeGuard

from ..archives import Archive, ArchiveError, Problem, archive_errors
from .base import Reader
from .items import ExcludedItem, ImportablePost, Item, Reason, Summary
from .sorting import SortedPosts

__all__ = [
    "ExcludedItem",
    "ImportablePost",
    "Item",
    "Reader",
    "Reason",
    "SortedPosts",
    "Summary",
    "find_reader",
    "readers",
]


@cache
def readers() -> dict[str, type[Reader]]:
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if is_source(value)]
    return {reader.name: reader for reader in found}


def is_source(value: object) -> TypeGuard[type[Reader]]:
    return isinstance(value, type) and issubclass(value, Reader) and value is not Reader


def find_reader(archive: Archive) -> Reader:
    """Detect the source by names and contents; raise ArchiveError if there is none."""
    with archive_errors():
        for reader in readers().values():
            if reader.detect(archive):
                return reader(archive)
    raise ArchiveError(Problem.UNKNOWN)
