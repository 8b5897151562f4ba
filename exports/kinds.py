"""The kinds of archive that can be asked for. Views, jobs and mails know a kind only by what is said here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from blog.models import User

from . import posts


@dataclass(frozen=True)
class Kind:
    """How one kind of archive is made.

    `count` estimates the rows; `chunks` yields the archive's bytes in order, each with the number of rows in it, at
    most as many as it was asked for at a time.
    """

    file_name: str
    content_type: str
    count: Callable[[User], int]
    chunks: Callable[[User, int], Iterator[tuple[int, bytes]]]


KINDS = {"posts": Kind("posts.json", "application/json", posts.count, posts.chunks)}
