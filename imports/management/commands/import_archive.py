import uuid
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from blog.management.progress_bar import ProgressBar
from blog.models import User
from imports.archives import ArchiveError, Limits, open_archive
from imports.readers import Reason, SortedPosts, find_reader
from imports.writing import PostImport
from tasks.management.requirements import require_database


class Command(BaseCommand):
    help = (
        "Import the posts of an archive of Microblog, Mastodon, X or Bluesky into an account."
        " What is there already is left as it is, so it can be run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be imported, and import nothing"
        )

    def handle(self, *, username: str, file: Path, dry_run: bool, **options: Any) -> None:
        require_database()
        try:
            author = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            raise CommandError(f"No user named {username!r}.") from None
        try:
            self._import(author, file, dry_run)
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror or error}.") from None
        except ArchiveError as error:
            raise CommandError(f"{file}: {error}") from None
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Run it again to import the rest.", returncode=130
            ) from None

    def _import(self, author: User, path: Path, dry_run: bool) -> None:
        with path.open("rb") as file:
            archive = open_archive(file, path.name, Limits(max_bytes=settings.IMPORT_MAX_BYTES))
            reader = find_reader(archive)
            task = PostImport(author=author, source=reader.name, import_id=uuid.uuid4())
            with (
                SortedPosts(reader.posts()) as posts,
                ProgressBar(self.stderr, "posts", posts.count) as bar,
            ):
                if dry_run:
                    added = task.count_new(posts, bar.set_done)
                else:
                    added = task.write(posts, None, bar.set_done)
        verb = "would be imported" if dry_run else "imported"
        self.stdout.write(
            f"{reader.label}: {added:,} posts {verb}, {posts.count - added:,} here already."
        )
        self._print_excluded(posts.excluded)
        if added and not dry_run:
            self.stdout.write(f"Id of the import: {task.import_id}")

    def _print_excluded(self, excluded: Counter[Reason]) -> None:
        for reason, count in excluded.most_common():
            self.stdout.write(f"Left out: {count:,} ({reason.label})")
