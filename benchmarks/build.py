"""Goals 1 and 3: build an archive, compared with what the database itself can do.

Microblog's side ("ours") is everything that a worker does between claim and mail: count, heartbeat,
snapshot, part file, storage, database row. The baseline ("raw") writes the same text in the same
order to a file and hashes it, with the sqlite3 module or PostgreSQL's COPY. Both take turns in one
process and must write identical files. The archive is not zipped, whatever its size; the cost of
zip is a separate benchmark.
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

from . import naive_export
from .installation import DATABASES, installation, with_services
from .plots import figure
from .report import Goal

SIZES = (1000, 10_000, 100_000, 300_000, 1_000_000)
MAX_RAW_SIZE = 300_000  # larger baselines take long and show nothing new
ROUNDS = 5
SMALL, LARGE = "10000", "1000000"  # keys of the JSON result
NAIVE_SIZES = (1000, 10_000)
MIN_RATIOS = {"SQLite": 0.85, "PostgreSQL": 0.6}
MAX_SLOWDOWN = 1.2
BASELINES = {"SQLite": "sqlite3", "PostgreSQL": "COPY"}
CHUNK_ROWS = 2000
SQLITE_QUERY = """
    SELECT json_object('body', body, 'timestamp', replace(created_at, ' ', 'T') || 'Z')
    FROM blog_post WHERE author_id = ? ORDER BY created_at, id
"""
# The JSON lines never contain these quote and delimiter characters, so COPY does not escape them.
POSTGRESQL_COPY = """
    COPY (
        SELECT json_build_object('body', body, 'timestamp', replace(
            to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''
        ) || 'Z')::text || ','
        FROM blog_post WHERE author_id = {author} ORDER BY created_at, id
    ) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""


def run(
    sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS, naive_sizes: tuple[int, ...] = NAIVE_SIZES
) -> dict[str, Any]:
    """Return the median seconds by database, size and side.

    The naive export is timed once, on SQLite.
    """
    result: dict[str, Any] = {}
    for database in DATABASES:
        with installation(*sizes, database=database, EXPORT_MAIL_LIMIT=str(10**9)) as place:
            print(f"Building archives on {database}, {rounds} rounds ...", file=sys.stderr)
            result[database] = json.loads(
                place.python("-m", "benchmarks.build", str(rounds), *map(str, sizes))
            )
            if database == "SQLite":
                with with_services(place, "broker") as running:
                    result["naive"] = {
                        size: {"seconds": naive_export.measure_seconds(running, size)}
                        for size in naive_sizes
                    }
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return [*_speed_goals(result), *_linearity_goals(result)]


def plot(result: dict[str, Any], folder: Path) -> None:
    with figure(folder / "time.svg", title="Duration of one build", x="posts", y="seconds") as axes:
        _draw_line(axes, result["naive"], "seconds", style="s--", label="naive, SQLite")
        for database in DATABASES:
            _draw_line(axes, result[database], "ours", style="o-", label=f"Microblog, {database}")
            _draw_line(
                axes,
                result[database],
                "raw",
                style="x:",
                label=f"{BASELINES[database]}, {database}",
            )


def _draw_line(axes: Any, sizes: dict[str, Any], side: str, *, style: str, label: str) -> None:
    numbers = sorted((size for size in sizes if side in sizes[size]), key=int)
    axes.plot(
        [int(number) for number in numbers],
        [sizes[number][side] for number in numbers],
        style,
        label=label,
    )


def _speed_goals(result: dict[str, Any]) -> Iterator[Goal]:
    for database in DATABASES:
        size = max(
            (size for size, measured in result[database].items() if "raw" in measured), key=int
        )
        measured = result[database][size]
        ours, raw = (int(size) / measured[side] for side in ("ours", "raw"))
        yield Goal(
            number=1,
            title=f"Build of {int(size):,} posts, {database}",
            result=f"{ours / raw:.2f} ({ours:,.0f} posts/s)",
            baseline=f"{BASELINES[database]}: {raw:,.0f} posts/s",
            target=f"at least {MIN_RATIOS[database]}",
            is_met=ours / raw >= MIN_RATIOS[database],
        )


def _linearity_goals(result: dict[str, Any]) -> Iterator[Goal]:
    for database in DATABASES:
        small, large = (
            sorted(result[database], key=int)[-2:]
            if SMALL not in result[database]
            else (SMALL, LARGE)
        )
        large_time, small_time = (
            result[database][size]["ours"] / int(size) * 1e6 for size in (large, small)
        )
        ratio = large_time / small_time
        yield Goal(
            number=3,
            title=f"Time per post of {int(large):,} posts, {database}",
            result=f"{ratio:.2f} ({large_time:.2f} µs)",
            baseline=f"{int(small):,} posts: {small_time:.2f} µs",
            target=f"at most {MAX_SLOWDOWN}",
            is_met=ratio <= MAX_SLOWDOWN,
        )


def _measure(rounds: int, sizes: list[int]) -> dict[int, dict[str, float]]:
    from blog.models import User

    authors = {size: User.objects.get(username=f"posts{size}") for size in sizes}
    measured = [
        {size: _measure_round(author, number) for size, author in authors.items()}
        for number in range(rounds)
    ]
    return {
        size: {
            side: median(seconds[size][side] for seconds in measured) for side in measured[0][size]
        }
        for size in sizes
    }


def _measure_round(author: Any, number: int) -> dict[str, float]:
    """Return the seconds of each side; the sides alternate in going first."""
    from django.conf import settings

    ours, raw = settings.VAR_DIR / "ours.json", settings.VAR_DIR / "raw.json"
    sides: list[tuple[str, Callable[[], float]]] = [
        ("ours", lambda: _build(author, ours)),
        ("raw", lambda: _build_raw(author, raw)),
    ]
    if author.posts.count() > MAX_RAW_SIZE:
        return {"ours": _build(author, ours)}
    seconds = {name: build() for name, build in (sides if number % 2 else reversed(sides))}
    if ours.read_bytes() != raw.read_bytes():
        raise SystemExit("The two archives differ, so the comparison is invalid.")
    return seconds


def _measure_seconds(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _build(author: Any, output: Path) -> float:
    from exports.models import ExportTask
    from tasks.heartbeat import Heartbeat

    task = ExportTask.objects.request(author)[0]
    task.claim()

    def build() -> None:
        with Heartbeat(task.renew) as heartbeat:
            result = task.perform(heartbeat)
        task.finish(**result)

    seconds = _measure_seconds(build)
    Path(task.archive.path).replace(output)
    return seconds


def _build_raw(author: Any, output: Path) -> float:
    from django.db import connection

    chunks = _sqlite_chunks if connection.vendor == "sqlite" else _postgresql_chunks
    return _measure_seconds(lambda: _write_raw(author.username, chunks(author.pk), output))


def _write_raw(username: str, chunks: Iterator[tuple[int, bytes]], output: Path) -> None:
    digest, count = hashlib.sha256(), 0
    part = output.with_suffix(".part")  # as in our build: overwriting in place would be slower
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
        lines, before = connection.execute(SQLITE_QUERY, [author]), ""
        while batch := lines.fetchmany(CHUNK_ROWS):
            yield len(batch), (before + ",\n".join([line for (line,) in batch])).encode()
            before = ",\n"


def _postgresql_chunks(author: int) -> Iterator[tuple[int, bytes]]:
    """Read with libpq: the loop of psycopg's own `copy` takes longer than our whole build."""
    from django.db import connection

    connection.ensure_connection()
    server = connection.connection.pgconn
    server.exec_(POSTGRESQL_COPY.format(author=author).encode())
    lines = iter(lambda: bytes(server.get_copy_data(0)[1]), b"")
    batch = list(islice(lines, CHUNK_ROWS))
    while following := list(islice(lines, CHUNK_ROWS)):
        yield len(batch), b"".join(batch)
        batch = following
    yield len(batch), b"".join(batch)[:-2]  # without the last comma and line break
    while server.get_result():
        pass


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), [int(size) for size in sys.argv[2:]])))
