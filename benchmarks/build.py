"""Goals 1 and 3: the building of an archive beside what the database itself can do.

Ours is all that a worker does between claim and mail: count, heartbeat, snapshot, part file, storage, the row. The raw
side writes the same text in the same order, to a file, hashed: with the sqlite3 module, and with PostgreSQL's COPY.
Both take turns in one process, and their files are the same bytes, which is checked. The archive is left as it is,
however large; what it costs to pack it is a benchmark of its own.
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
from time import perf_counter
from typing import Any

from . import naive
from .goals import Goal
from .installation import DATABASES, installation, served
from .plots import figure

SIZES = (1000, 10_000, 100_000, 300_000, 1_000_000)
RAW_SIZES = 300_000  # beyond, the raw side would only take time
ROUNDS = 5
SMALL, LARGE = "10000", "1000000"  # as JSON has them
NAIVE = (1000, 10_000)
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


def run(
    sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS, naive_sizes: tuple[int, ...] = NAIVE
) -> dict[str, Any]:
    """By database, size and side: the median seconds. The naive export is timed once, on SQLite."""
    result: dict[str, Any] = {}
    for database in DATABASES:
        with installation(*sizes, database=database, EXPORT_MAIL_LIMIT=str(10**12)) as place:
            print(
                f"Building their archives on {database}, {rounds} times each way ...",
                file=sys.stderr,
            )
            result[database] = json.loads(
                place.python("-m", "benchmarks.build", str(rounds), *map(str, sizes))
            )
            if database == "SQLite":
                with served(place, "broker") as there:
                    result["naive"] = {
                        size: {"seconds": naive.seconds(there, size)} for size in naive_sizes
                    }
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return [*_speed(result), *_linearity(result)]


def plot(result: dict[str, Any], folder: Path) -> None:
    with figure(folder / "time.svg", "Time of one build", "posts", "seconds") as axes:
        _draw(axes, result["naive"], "seconds", "s--", "naive, SQLite")
        for database in DATABASES:
            _draw(axes, result[database], "ours", "o-", f"Microblog, {database}")
            _draw(axes, result[database], "raw", "x:", f"{RAW[database]}, {database}")


def _draw(axes: Any, sizes: dict[str, Any], side: str, style: str, label: str) -> None:
    numbers = sorted((size for size in sizes if side in sizes[size]), key=int)
    axes.plot(
        [int(number) for number in numbers],
        [sizes[number][side] for number in numbers],
        style,
        label=label,
    )


def _speed(result: dict[str, Any]) -> Iterator[Goal]:
    for database in DATABASES:
        size = max(
            (size for size, measured in result[database].items() if "raw" in measured), key=int
        )
        measured = result[database][size]
        ours, raw = (int(size) / measured[side] for side in ("ours", "raw"))
        yield Goal(
            1,
            f"Build of {int(size):,} posts, {database}",
            f"{ours / raw:.2f} ({ours:,.0f} posts/s)",
            f"{RAW[database]}: {raw:,.0f} posts/s",
            f"at least {BARS[database]}",
            ours / raw >= BARS[database],
        )


def _linearity(result: dict[str, Any]) -> Iterator[Goal]:
    for database in DATABASES:
        small, large = (
            sorted(result[database], key=int)[-2:]
            if SMALL not in result[database]
            else (SMALL, LARGE)
        )
        each, before = (result[database][size]["ours"] / int(size) * 1e6 for size in (large, small))
        ratio = each / before
        yield Goal(
            3,
            f"Time a post at {int(large):,}, {database}",
            f"{ratio:.2f} ({each:.2f} µs)",
            f"at {int(small):,}: {before:.2f} µs",
            "at most 1.2",
            ratio <= 1.2,
        )


def _measure(rounds: int, sizes: list[int]) -> dict[int, dict[str, float]]:
    from blog.models import User

    authors = {size: User.objects.get(username=f"posts{size}") for size in sizes}
    measured = [
        {size: _take_turns(author, turn) for size, author in authors.items()}
        for turn in range(rounds)
    ]
    return {
        size: {side: median(each[size][side] for each in measured) for side in measured[0][size]}
        for size in sizes
    }


def _take_turns(author: Any, turn: int) -> dict[str, float]:
    """The seconds of each side; they take turns at going first."""
    from django.conf import settings

    ours, raw = settings.VAR_DIR / "ours.json", settings.VAR_DIR / "raw.json"
    sides: list[tuple[str, Callable[[], float]]] = [
        ("ours", lambda: _build(author, ours)),
        ("raw", lambda: _build_raw(author, raw)),
    ]
    if author.posts.count() > RAW_SIZES:
        return {"ours": _build(author, ours)}
    seconds = {name: build() for name, build in (sides if turn % 2 else reversed(sides))}
    if ours.read_bytes() != raw.read_bytes():
        raise SystemExit("The two archives differ: this compares nothing.")
    return seconds


def _timed(work: Callable[[], Any]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def _build(author: Any, output: Path) -> float:
    from exports import jobs
    from exports.models import ExportTask

    task = ExportTask.objects.request(author.pk)[0]
    task.claim()
    seconds = _timed(lambda: jobs.build_archive(task))
    Path(task.archive.path).replace(output)
    return seconds


def _build_raw(author: Any, output: Path) -> float:
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
    """Read by libpq itself: the loop over psycopg's own `copy` takes longer than our whole build."""
    from django.db import connection

    connection.ensure_connection()
    server = connection.connection.pgconn
    server.exec_(POSTGRESQL.format(author=author).encode())
    lines = iter(lambda: bytes(server.get_copy_data(0)[1]), b"")
    batch = list(islice(lines, CHUNK))
    while following := list(islice(lines, CHUNK)):
        yield len(batch), b"".join(batch)
        batch = following
    yield len(batch), b"".join(batch)[:-2]  # no comma and line break after the last
    while server.get_result():
        pass


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), [int(size) for size in sys.argv[2:]])))
