"""Goals 1 and 3: the building of an archive beside what the database itself can do.

Ours is all that a worker does between claim and mail: count, heartbeat, snapshot, part file, storage, the row. The raw
side writes the same text in the same order, to a file, hashed: with the sqlite3 module, and with PostgreSQL's COPY.
Both take turns in one process, and their files are the same bytes, which is checked. The archive stays as it is, however
large; what it costs to pack it is a benchmark of its own.
"""

import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from .goals import Goal
from .installation import DATABASES, installation

SIZES = (1000, 10_000, 100_000, 1_000_000)
ROUNDS = 5
SMALL, LARGE = 10_000, 1_000_000
BARS = {"SQLite": 0.85, "PostgreSQL": 0.6}
RAW = {"SQLite": "sqlite3", "PostgreSQL": "COPY"}
CHUNK = 2000
SQLITE = """
    SELECT json_object('body', body, 'timestamp', replace(created_at, ' ', 'T') || 'Z')
    FROM blog_post WHERE author_id = ? ORDER BY created_at, id
"""
# JSON has none of the characters that end or quote a field here, so each line comes out as it is.
POSTGRESQL = """
    COPY (
        SELECT json_build_object('body', body, 'timestamp', replace(to_char(created_at AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z')::text || ','
        FROM blog_post WHERE author_id = {author} ORDER BY created_at, id
    ) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""


def run(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> dict[str, Any]:
    """By database, size and side: the median seconds, on the clock and of this processor."""
    return {"rounds": rounds, "seconds": {database: _run_on(database, sizes, rounds) for database in DATABASES}}


def _run_on(database: str, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    with installation(*sizes, database=database, EXPORT_MAIL_LIMIT=str(10**12)) as place:
        print(f"Building their archives on {database}, {rounds} times each way ...", file=sys.stderr)
        result: dict[str, Any] = json.loads(place.python("-m", "benchmarks.build", str(rounds), *map(str, sizes)))
        return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return [*_speed(result), *_linearity(result)]


def _speed(result: dict[str, Any]) -> Iterator[Goal]:
    for database, sizes in result["seconds"].items():
        size = max(sizes, key=int)
        ours, raw = (sizes[size][side]["clock"] for side in ("ours", "raw"))
        yield Goal(
            1,
            f"Build of {int(size):,} posts, {database}",
            f"{raw / ours:.2f} ({int(size) / ours:,.0f} posts/s)",
            f"{RAW[database]}: {int(size) / raw:,.0f} posts/s",
            f"at least {BARS[database]}",
            raw / ours >= BARS[database],
        )


def _linearity(result: dict[str, Any]) -> Iterator[Goal]:
    for database, sizes in result["seconds"].items():
        small, large = (str(min(size, int(max(sizes, key=int)))) for size in (SMALL, LARGE))
        if small in sizes:
            each, before = (sizes[size]["ours"]["clock"] / int(size) * 1e6 for size in (large, small))
            yield Goal(
                3,
                f"Time a post at {int(large):,}, {database}",
                f"{each / before:.2f} ({each:.2f} µs)",
                f"at {int(small):,}: {before:.2f} µs",
                "at most 1.2",
                each / before <= 1.2,
            )


def _measure(rounds: int, sizes: list[int]) -> dict[int, dict[str, dict[str, float]]]:
    from blog.models import User

    authors = {size: User.objects.get(username=f"posts{size}") for size in sizes}
    return {size: _take_turns(author, rounds) for size, author in authors.items()}


def _take_turns(author: Any, rounds: int) -> dict[str, dict[str, float]]:
    """The median seconds of each side, which take turns at going first."""
    from django.conf import settings

    ours, raw = settings.VAR_DIR / "ours.json", settings.VAR_DIR / "raw.json"
    sides = [("ours", lambda: _build(author, ours)), ("raw", lambda: _build_raw(author, raw))]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in sides}
    for _ in range(rounds):
        for name, build in sides:
            seconds[name].append(build())
        sides.reverse()
    if ours.read_bytes() != raw.read_bytes():
        raise SystemExit("The two archives differ: this compares nothing.")
    return {
        name: dict(zip(("clock", "processor"), map(median, zip(*each, strict=True)), strict=True))
        for name, each in seconds.items()
    }


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    clock, processor = perf_counter(), process_time()
    work()
    return perf_counter() - clock, process_time() - processor


def _build(author: Any, output: Path) -> tuple[float, float]:
    from exports import jobs
    from exports.models import ExportTask

    task = ExportTask.objects.request(author.pk)[0]
    task.claim()
    seconds = _timed(lambda: jobs.build(task))
    Path(task.archive.path).replace(output)
    return seconds


def _build_raw(author: Any, output: Path) -> tuple[float, float]:
    from django.db import connection

    chunks = _sqlite_chunks if connection.vendor == "sqlite" else _postgresql_chunks
    return _timed(lambda: _write_raw(author.username, chunks(author.pk), output))


def _write_raw(username: str, chunks: Iterator[tuple[int, bytes]], output: Path) -> None:
    digest, count = hashlib.sha256(), 0
    part = output.with_suffix(".part")  # as we do: to write over a file in place costs more
    with part.open("wb") as file:

        def write(data: bytes) -> None:
            file.write(data)
            digest.update(data)

        write(f'{{"version": 1, "username": "{username}", "posts": [\n'.encode())
        for rows, data in chunks:
            write(data)
            count += rows
        write(f'\n], "count": {count}}}\n'.encode())
        file.flush()
        os.fsync(file.fileno())
    part.replace(output)


def _sqlite_chunks(author: int) -> Iterator[tuple[int, bytes]]:
    from django.conf import settings

    with closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as connection:
        lines, before = connection.execute(SQLITE, [author]), ""
        while batch := lines.fetchmany(CHUNK):
            yield len(batch), (before + ",\n".join([line for (line,) in batch])).encode()
            before = ",\n"


def _postgresql_chunks(author: int) -> Iterator[tuple[int, bytes]]:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(POSTGRESQL.format(author=author)) as copy:
        lines = iter(copy)
        batch = list(islice(lines, CHUNK))
        while following := list(islice(lines, CHUNK)):
            yield len(batch), b"".join(batch)
            batch = following
        yield len(batch), b"".join(batch)[:-2]  # no comma and line break after the last


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), [int(size) for size in sys.argv[2:]])))
