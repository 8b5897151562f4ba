"""Followed, muted and blocked people of an archive, and the words about its owner."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction

from blog.models import Block, Follow, Mute, User

from .models import ImportTask
from .readers import Reader, Summary

KINDS = ("following", "mutes", "blocks")
BATCH_SIZE = 500
MAX_SHOWN = 50
PROFILE = "profile"
MAX_ABOUT_ME_LENGTH = 280


def importable_about_me(reader: Reader) -> str:
    """Return the words that can become those of the profile: of our own archives alone."""
    about_me = reader.summary.about_me if reader.name == "microblog" else ""
    return about_me if len(about_me) <= MAX_ABOUT_ME_LENGTH else ""


def preview(owner: User, summary: Summary) -> dict[str, dict[str, Any]]:
    """Return per kind the people who exist here, as many as are shown, and both numbers."""
    result = {}
    for kind in KINDS:
        names = getattr(summary, kind)
        found = [user.username for user in _find(owner, names)]
        if names:
            result[kind] = {
                "names": found[:MAX_SHOWN],
                "found": len(found),
                "total": len(names),
            }
    return result


def apply(
    task: ImportTask,
    reader: Reader,
    pause: Callable[[], object],
    on_unknown: Callable[[str], object],
) -> None:
    """Follow, mute and block as the owner chose, and tell nobody. Idempotent."""
    for kind in KINDS:
        names = getattr(reader.summary, kind)
        if kind not in task.options:
            continue
        found: set[str] = set()
        for users in _batches(_find(task.owner, names)):
            found.update(user.username.lower() for user in users)
            _ADD[kind](task.owner, users)
            pause()
        for name in names:
            if (_local_name(name) or "").lower() not in found:
                on_unknown(name)
    if PROFILE in task.options and (about_me := importable_about_me(reader)):
        User.objects.filter(pk=task.owner_id).update(about_me=about_me)


def _find(owner: User, names: Iterable[str]) -> Iterator[User]:
    """Yield the people of these names whom the owner can see."""
    local = (name.lower() for name in map(_local_name, names) if name)
    while batch := list(islice(local, BATCH_SIZE)):
        users = User.objects.visible_to(owner).filter(username__lower__in=batch)
        yield from users.exclude(pk=owner.pk).order_by("pk")


def _local_name(name: str) -> str | None:
    """Return the username of an address of this site; None for those of other sites."""
    username, _, host = name.partition("@")
    return username if host.lower() in ("", settings.SITE_HOST.lower()) else None


def _batches(users: Iterator[User]) -> Iterator[list[User]]:
    while batch := list(islice(users, BATCH_SIZE)):
        yield batch


def _follow(owner: User, users: list[User]) -> None:
    with transaction.atomic():
        # Lock the users: a concurrent block either waits for us or is visible to the check.
        keys = [user.pk for user in users]
        locked = User.objects.filter(pk__in=keys).order_by("pk").select_for_update(no_key=True)
        list(locked.values_list("pk"))
        visible = User.objects.visible_to(owner).filter(pk__in=keys)
        follows = [Follow(follower=owner, followed=user) for user in visible]
        Follow.objects.bulk_create(follows, ignore_conflicts=True)


def _mute(owner: User, users: list[User]) -> None:
    mutes = [Mute(muter=owner, muted=user) for user in users]
    Mute.objects.bulk_create(mutes, ignore_conflicts=True)


def _block(owner: User, users: list[User]) -> None:
    for user in users:
        Block.objects.block(owner, user)


_ADD: dict[str, Callable[[User, list[User]], None]] = {
    "following": _follow,
    "mutes": _mute,
    "blocks": _block,
}
