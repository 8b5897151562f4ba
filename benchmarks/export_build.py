"""`export_posts` beside the raw sqlite3 module doing the same work: the same order, the same text, to a file, hashed.

Both write an archive of the same bytes, which is checked, and take turns in one process. Run by `python -m benchmarks`;
as a module of its own it is the process that is measured.
"""

import hashlib
import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from .installation import Installation, installation

ROUNDS = 5
SMALL = 3000
CHUNK = 2000
QUERY = """
    SELECT json_object('body', body, 'timestamp', replace(created_at, ' ', 'T') || 'Z')
    FROM blog_post WHERE author_id = (SELECT id FROM blog_user WHERE username = 'demo')
    ORDER BY created_at, id
"""


def run(posts: int) -> dict[str, Any]:
    """Posts a second of both (medians), their ratio, and the peak memory of a small and of a large export."""
    print(f"export_build: making {posts:,} posts ...", file=sys.stderr)
    with installation(posts) as place:
        print(f"export_build: exporting them {ROUNDS} times each way ...", file=sys.stderr)
        seconds = json.loads(place.python("-m", "benchmarks.export_build"))
        large = _peak_memory(place)
    with installation(SMALL) as place:
        small = _peak_memory(place)
    ours, our_processor = map(median, zip(*seconds["export_posts"], strict=True))
    raw, raw_processor = map(median, zip(*seconds["sqlite3"], strict=True))
    return {
        "posts": posts,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "seconds": seconds,
        "export_posts_per_second": round(posts / ours),
        "sqlite3_per_second": round(posts / raw),
        "speed_ratio": round(raw / ours, 3),
        "export_posts_processor_seconds": round(our_processor, 3),
        "sqlite3_processor_seconds": round(raw_processor, 3),
        "processor_ratio": round(our_processor / raw_processor, 3),
        "small_posts": SMALL,
        "small_peak_bytes": small,
        "large_peak_bytes": large,
        "memory_ratio": round(large / small, 3),
    }


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What was measured, ours, what it is compared with, and the ratio."""
    posts, small = f"{result['posts']:,} posts", f"{result['small_posts']:,} posts"
    return [
        (
            f"export_posts / raw sqlite3, {posts}",
            f"{result['export_posts_per_second']:,} posts/s",
            f"{result['sqlite3_per_second']:,} posts/s",
            f"{result['speed_ratio']:.2f}",
        ),
        (
            "their processor time",
            f"{result['export_posts_processor_seconds']:.2f} s",
            f"{result['sqlite3_processor_seconds']:.2f} s",
            f"{result['processor_ratio']:.2f}",
        ),
        (
            f"peak memory, {posts} / {small}",
            f"{result['large_peak_bytes'] / 1e6:.1f} MB",
            f"{result['small_peak_bytes'] / 1e6:.1f} MB",
            f"{result['memory_ratio']:.2f}",
        ),
    ]


def _peak_memory(place: Installation) -> int:
    return place.peak_memory("manage.py", "export_posts", "demo", f"--output={place.folder / 'posts.json'}")


def _measure(folder: Path, database: Path) -> dict[str, list[tuple[float, float]]]:
    """Seconds, on the clock and of processor time, of each round, ours and raw, taking turns at going first."""
    ours, raw = folder / "ours.json", folder / "raw.json"
    turns = [("export_posts", lambda: _export_ours(ours)), ("sqlite3", lambda: _export_raw(database, raw))]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in turns}
    for _ in range(ROUNDS):
        for name, export in turns:
            seconds[name].append(_timed(export))
        turns.reverse()
    if ours.read_bytes() != raw.read_bytes():
        raise SystemExit("The two archives differ: this compares nothing.")
    return seconds


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, processor = perf_counter(), process_time()
    work()
    return perf_counter() - wall, process_time() - processor


def _export_ours(output: Path) -> None:
    from django.core.management import call_command

    with Path(os.devnull).open("w") as nowhere:
        call_command("export_posts", "demo", output=output, stdout=nowhere, stderr=nowhere, skip_checks=True)


def _export_raw(database: Path, output: Path) -> None:
    connection = sqlite3.connect(database)
    digest, count, before = hashlib.sha256(), 0, ""
    part = output.with_suffix(".part")  # as we do: to write over a file in place costs more
    with part.open("wb") as file:

        def write(text: str) -> None:
            data = text.encode()
            file.write(data)
            digest.update(data)

        write('{"version": 1, "username": "demo", "posts": [\n')
        lines = connection.execute(QUERY)
        while batch := lines.fetchmany(CHUNK):
            write(before + ",\n".join([line for (line,) in batch]))
            count, before = count + len(batch), ",\n"
        write(f'\n], "count": {count}}}\n')
        file.flush()
        os.fsync(file.fileno())
    part.replace(output)
    connection.close()


if __name__ == "__main__":
    import django
    from django.conf import settings

    django.setup()
    print(json.dumps(_measure(settings.VAR_DIR, Path(settings.DATABASES["default"]["NAME"]))))
