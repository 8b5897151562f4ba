"""Goal 4: streaming zip, compared with Python's zlib at its default level.

Both compress the same archive in the same chunks, alternately. `python -m benchmarks.packing` is
the measured process. It also measures builds with and without zip.
"""

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from .installation import installation
from .report import Goal

POSTS = 100_000
ROUNDS = 5
CHUNK_POSTS = 1000
MIN_RATIO = 3
ALWAYS_ZIP, NEVER_ZIP = 0, 10**12  # values of EXPORT_MAIL_LIMIT


def run(posts: int = POSTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the bytes before and after, and the median seconds."""
    with installation(posts) as place:
        print(f"Zipping the archive of {posts:,} posts, {rounds} rounds ...", file=sys.stderr)
        result: dict[str, Any] = json.loads(
            place.python("-m", "benchmarks.packing", str(posts), str(rounds))
        )
        return result


def goals(result: dict[str, Any]) -> list[Goal]:
    plain = result["plain_bytes"]
    ours, raw = (plain / result["seconds"][side] / 1e6 for side in ("ours", "zlib"))
    shares = {side: size / plain for side, size in result["packed_bytes"].items()}
    return [
        Goal(
            number=4,
            title="Streaming zip",
            result=f"{ours / raw:.1f} ({ours:,.0f} MB/s, to {shares['ours']:.0%})",
            baseline=f"zlib: {raw:,.0f} MB/s, to {shares['zlib']:.0%}",
            target=f"at least {MIN_RATIO}",
            is_met=ours / raw >= MIN_RATIO,
        )
    ]


def _measure(posts: int, rounds: int) -> dict[str, Any]:
    from blog.models import User
    from exports.archive.kinds import POSTS as KIND

    owner = User.objects.get(username=f"posts{posts}")
    chunks = [data for _, data in KIND.iter_chunks(owner, CHUNK_POSTS)]
    ours, raw = _zip_ours(chunks), _zip_with_zlib(chunks)
    with zipfile.ZipFile(io.BytesIO(ours)) as packed:
        if packed.read("posts.json") != b"".join(chunks):
            raise SystemExit("The archive does not survive zip and unzip.")
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: _zip_ours(chunks),
        "zlib": lambda: _zip_with_zlib(chunks),
        "build, zipped": lambda: _build(owner, ALWAYS_ZIP),
        "build, plain": lambda: _build(owner, NEVER_ZIP),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, work in sides.items():
            start = perf_counter()
            work()
            seconds[side].append(perf_counter() - start)
    return {
        "posts": posts,
        "plain_bytes": sum(map(len, chunks)),
        "packed_bytes": {"ours": len(ours), "zlib": len(raw)},
        "seconds": {side: median(values) for side, values in seconds.items()},
    }


def _zip_ours(chunks: list[bytes]) -> bytes:
    from exports.archive.packing import Zip

    packed = Zip()
    return b"".join(
        [packed.begin("posts.json"), *map(packed.write, chunks), packed.end(), packed.close()]
    )


def _zip_with_zlib(chunks: list[bytes]) -> bytes:
    deflate, crc, packed = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0, []
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
        packed.append(deflate.compress(chunk))
    return b"".join([*packed, deflate.flush()])


def _build(owner: Any, mail_limit: int) -> None:
    from django.test import override_settings

    from exports.models import ExportTask
    from tasks.heartbeat import Heartbeat

    task = ExportTask.objects.request(owner)[0]
    task.claim()
    with override_settings(EXPORT_MAIL_LIMIT=mail_limit):
        with Heartbeat(task.renew) as heartbeat:
            result = task.perform(heartbeat)
        task.finish(**result)
    task.archive.delete()


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]))))
