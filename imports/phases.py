"""The work of an import's phases: preview, import and undo."""

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.utils.translation import gettext as _

from blog.models import MAX_POST_LENGTH
from tasks.heartbeat import Heartbeat
from tasks.models import TaskFailed

from . import people
from .archives import ArchiveError, Limits, open_archive
from .models import ImportTask, Phase, upload_storage
from .readers import ExcludedItem, Item, Reader, SortedPosts, find_reader
from .writing import PostImport, delete_posts, undoable

SAMPLES = 20
ITEMS_PER_CHECK = 100
# SQLite's lock is unfair, so other writers get a chance between two batches.
PAUSE_SECONDS = 0.005
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def preview(task: ImportTask, heartbeat: Heartbeat) -> dict[str, Any]:
    """Read the archive as a whole, and write nothing to posts."""
    with open_reader(task) as reader, sorted_posts(reader, heartbeat) as posts:
        new = _post_import(task, reader).count_new(posts, heartbeat.report)
        result = {
            "account": reader.summary.account,
            "display_name": reader.summary.display_name,
            "about_me": people.importable_about_me(reader),
            "years": {str(year): posts.years[year] for year in sorted(posts.years)},
            "excluded": dict(posts.excluded.most_common()),
            "missing_files": list(reader.summary.missing_files[:SAMPLES]),
            "posts": posts.count,
            "here_already": posts.count - new,
            "samples": _samples(posts),
            "people": people.preview(task.owner, reader.summary),
        }
    return {"preview": result, "rows_done": posts.count, "rows_total": posts.count}


def import_posts(task: ImportTask, heartbeat: Heartbeat) -> dict[str, Any]:
    """Write the posts of the chosen years, and the report about all that was left out."""

    def checkpoint(rows_done: int) -> None:
        task.checkpoint(rows_done)
        heartbeat.report(rows_done)

    with (
        tempfile.TemporaryFile("w+b") as file,
        open_reader(task) as reader,
    ):
        report = Report(file)
        with sorted_posts(reader, heartbeat, report.add) as posts:
            years = set(task.years)
            rows = sum(count for year, count in posts.years.items() if year in years)
            _post_import(task, reader).write(posts, years, checkpoint)
        people.apply(task, reader, partial(heartbeat.wait, PAUSE_SECONDS), report.add_person)
        name = report.store(task)
    return {
        "rows_done": rows,
        "rows_total": rows,
        "imported": task.posts.count(),
        "report": name,
    }


def undo(task: ImportTask, heartbeat: Heartbeat) -> dict[str, Any]:
    """Delete the posts of this import that were not edited since; keep the others."""

    def checkpoint(rows_done: int) -> None:
        task.checkpoint(rows_done)
        heartbeat.report(rows_done)

    # An archive cannot contain an edit that is newer than its upload.
    delete_posts(undoable(task.pk, since=task.created_at), checkpoint)
    return {"rows_done": task.rows_total, "imported": task.posts.count()}


PERFORM: dict[Phase, Callable[[ImportTask, Heartbeat], dict[str, Any]]] = {
    Phase.PREVIEW: preview,
    Phase.IMPORT: import_posts,
    Phase.UNDO: undo,
}


def limits() -> Limits:
    return Limits(max_bytes=settings.IMPORT_MAX_BYTES)


@contextmanager
def open_reader(task: ImportTask) -> Iterator[Reader]:
    """Open the upload. A file that cannot be read fails the task, in the reader's words."""
    try:
        with task.upload.open("rb") as file:
            reader = find_reader(open_archive(cast("BinaryIO", file), task.upload_name, limits()))
            # The same in all phases: what is in the future of the upload stays out.
            reader.now = task.created_at
            yield reader
    except ArchiveError as error:
        raise TaskFailed(error.problem, is_expected=True) from error


def sorted_posts(
    reader: Reader,
    heartbeat: Heartbeat,
    on_excluded: Callable[[ExcludedItem], object] | None = None,
) -> SortedPosts:
    return SortedPosts(_watched(reader.posts(), heartbeat), on_excluded)


def _watched(items: Iterable[Item], heartbeat: Heartbeat) -> Iterator[Item]:
    """Yield items, and stop soon after the lease is lost."""
    for number, item in enumerate(items):
        if number % ITEMS_PER_CHECK == 0:
            heartbeat.report(0)
        yield item


def _post_import(task: ImportTask, reader: Reader) -> PostImport:
    return PostImport(author=task.owner, source=reader.name, import_id=task.pk)


def _samples(posts: SortedPosts) -> list[dict[str, str]]:
    """Return posts from all over the archive, oldest first, as long as lists show them."""
    step = max(1, posts.count // SAMPLES)
    chosen = (post for number, post in enumerate(posts) if number % step == 0)
    return [
        {
            "body": post.body[: MAX_POST_LENGTH + 1],
            "timestamp": post.timestamp.isoformat(),
            "source_url": post.source_url,
        }
        for post, _number in zip(chosen, range(SAMPLES), strict=False)
    ]


class Report:
    """CSV file of everything that was left out."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._text = _TextWriter(file)
        self._writer = csv.writer(self._text)
        self._writer.writerow([_("Date"), _("Id"), _("Address"), _("Reason")])

    def add(self, item: ExcludedItem) -> None:
        date = item.timestamp.isoformat() if item.timestamp else ""
        self._write(date, item.source_id, item.source_url, str(item.reason.label))

    def add_person(self, name: str) -> None:
        self._write("", name, "", _("There is nobody of this name here"))

    def store(self, task: ImportTask) -> str:
        """Save it under a name of this attempt, so that a zombie cannot replace it."""
        self._file.seek(0)
        return upload_storage().save(f"imports/{task.job_id}.csv", File(self._file))

    def _write(self, *cells: str) -> None:
        # A spreadsheet would run a cell that begins like a formula.
        self._writer.writerow(
            [f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell for cell in cells]
        )


class _TextWriter:
    def __init__(self, file: Any) -> None:
        self._file = file
        file.write("\ufeff".encode())  # Excel reads a file without it in the system's encoding

    def write(self, text: str) -> None:
        self._file.write(text.encode(errors="replace"))


def delete_file(name: str) -> None:
    """Delete an upload or a report; do nothing if there is no such file."""
    with suppress(FileNotFoundError):
        upload_storage().delete(name)
