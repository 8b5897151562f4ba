"""Imported posts, written in batches and deleted again by an undo."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction

from blog.models import Post, User
from blog.models.post import PostQuerySet

from .readers import ImportablePost, SortedPosts

BATCH_SIZE = 500

Key = tuple[datetime, str]
Checkpoint = Callable[[int], object]
"""Receives the number of rows done, inside of each batch's transaction. May raise."""


@dataclass(frozen=True, kw_only=True)
class PostImport:
    """One import into an account.

    A post is there already if the account has one of the same source and source id or, from before
    this import, one of the same time and text. An existing post matches at most one item; a post
    whose own source id is in the archive matches by that id only.
    """

    author: User
    source: str
    import_id: UUID

    def write(
        self, posts: SortedPosts, years: Collection[int] | None, checkpoint: Checkpoint
    ) -> int:
        """Write what is not here yet, each batch in a transaction of its own; return the number.

        Idempotent: after a crash, the next attempt skips what this one has written.
        """
        added = done = 0
        matcher = Matcher(self, posts)
        for batch in _batches(posts.of_years(years)):
            with transaction.atomic():
                # Lock the author: a concurrent import or submission runs before or after us.
                User.objects.select_for_update(no_key=True).get(pk=self.author.pk)
                new = matcher.find_new(batch)
                Post.objects.bulk_create(map(self._post, new))
                done += len(batch)
                checkpoint(done)
            added += len(new)
        return added

    def count_new(self, posts: SortedPosts, checkpoint: Checkpoint) -> int:
        """Return how many posts `write` would add."""
        count = done = 0
        matcher = Matcher(self, posts)
        for batch in _batches(posts):
            count += len(matcher.find_new(batch))
            done += len(batch)
            checkpoint(done)
        return count

    def _post(self, post: ImportablePost) -> Post:
        return Post(
            author=self.author,
            body=post.body,
            created_at=post.timestamp,
            edited_at=post.edited_at,
            source=self.source,
            source_id=post.source_id,
            source_url=post.source_url,
            import_id=self.import_id,
        )


class Matcher:
    """Tells new posts from those that the account has. Batches have to come in order."""

    def __init__(self, task: PostImport, archive: SortedPosts) -> None:
        self._task, self._archive = task, archive
        self._own = Post.objects.filter(author=task.author)
        self._used: set[int] = set()
        """Posts from before that stand for an item of the latest moment already."""
        self._last: datetime | None = None

    def find_new(self, batch: list[ImportablePost]) -> list[ImportablePost]:
        first, last = batch[0].timestamp, batch[-1].timestamp
        if first != self._last:
            self._used.clear()
        self._last = last
        known = self._known_ids(batch)
        candidates = self._posts_from_before(post for post in batch if post.source_id not in known)
        return [
            post
            for post in batch
            if post.source_id not in known and not self._use(candidates, post)
        ]

    def _known_ids(self, batch: Iterable[ImportablePost]) -> set[str]:
        ids = [post.source_id for post in batch]
        known = self._own.filter(source=self._task.source, source_id__in=ids)
        return set(known.values_list("source_id", flat=True))

    def _posts_from_before(self, posts: Iterable[ImportablePost]) -> dict[Key, list[int]]:
        before = self._own.exclude(import_id=self._task.import_id)
        rows = before.filter(created_at__in={post.timestamp for post in posts}).order_by("pk")
        found = defaultdict(list)
        for pk, created_at, body, source, source_id in rows.values_list(
            "pk", "created_at", "body", "source", "source_id"
        ):
            is_in_archive = source == self._task.source and self._archive.has(source_id)
            if pk not in self._used and not is_in_archive:
                found[created_at, body].append(pk)
        return found

    def _use(self, candidates: dict[Key, list[int]], post: ImportablePost) -> bool:
        pks = candidates.get((post.timestamp, post.body))
        if not pks:
            return False
        self._used.add(pks.pop(0))
        return True


def undoable(import_id: UUID, since: datetime) -> PostQuerySet:
    """Return the posts of an import that their author has not edited since."""
    posts = Post.objects.filter(import_id=import_id)
    return posts.exclude(edited_at__gt=since)


def delete_posts(posts: PostQuerySet, checkpoint: Checkpoint) -> int:
    """Delete posts in batches, each in a transaction of its own; return their number."""
    deleted = 0
    for keys in _batches_of_keys(posts):
        with transaction.atomic():
            # Locked, because the author may have edited a post since its key was read.
            locked = list(
                posts.filter(pk__in=keys).select_for_update().values_list("pk", flat=True)
            )
            Post.objects.filter(pk__in=locked).delete()
            deleted += len(locked)
            checkpoint(deleted)
    return deleted


def _batches(posts: Iterable[ImportablePost]) -> Iterator[list[ImportablePost]]:
    iterator = iter(posts)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch


def _batches_of_keys(posts: PostQuerySet) -> Iterator[list[int]]:
    while keys := list(posts.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE]):
        yield keys
