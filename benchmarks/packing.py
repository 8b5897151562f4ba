"""Goal 4: zip as part of the stream, beside Python's zlib at its default level.

Both take the same archive in the same pieces, and turns; `python -m benchmarks.packing` is the process that is
measured. Also, what a build costs whose archive is packed while it is written, beside one that is left as it is.
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

from .goals import Goal
from .installation import installation

POSTS = 100_000
ROUNDS = 5
PIECES = 1000  # so many posts


def run(posts: int = POSTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Bytes before and after, and median seconds."""
    with installation(posts) as place:
        print(
            f"Packing the archive of {posts:,} posts, {rounds} times each way ...", file=sys.stderr
        )
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
            4,
            "Zip, in the stream",
            f"{ours / raw:.1f} ({ours:,.0f} MB/s, to {shares['ours']:.0%})",
            f"zlib: {raw:,.0f} MB/s, to {shares['zlib']:.0%}",
            "at least 3",
            ours / raw >= 3,
        )
    ]


def _measure(posts: int, rounds: int) -> dict[str, Any]:
    from blog.models import User
    from exports.archive.kinds import POSTS as KIND

    owner = User.objects.get(username=f"posts{posts}")
    pieces = [data for _, data in KIND.iter_chunks(owner, PIECES)]
    ours, raw = _pack_ours(pieces), _pack_with_zlib(pieces)
    with zipfile.ZipFile(io.BytesIO(ours)) as packed:
        if packed.read("posts.json") != b"".join(pieces):
            raise SystemExit("What was packed does not come out again.")
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: _pack_ours(pieces),
        "zlib": lambda: _pack_with_zlib(pieces),
        "build, packed": lambda: _build(owner, 0),
        "build, plain": lambda: _build(owner, 10**12),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, work in sides.items():
            begin = perf_counter()
            work()
            seconds[side].append(perf_counter() - begin)
    return {
        "posts": posts,
        "plain_bytes": sum(map(len, pieces)),
        "packed_bytes": {"ours": len(ours), "zlib": len(raw)},
        "seconds": {side: median(values) for side, values in seconds.items()},
    }


def _pack_ours(pieces: list[bytes]) -> bytes:
    from exports.archive.packing import Zip

    packed = Zip()
    return b"".join(
        [packed.begin("posts.json"), *map(packed.write, pieces), packed.end(), packed.close()]
    )


def _pack_with_zlib(pieces: list[bytes]) -> bytes:
    deflate, crc, packed = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0, []
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        packed.append(deflate.compress(piece))
    return b"".join([*packed, deflate.flush()])


def _build(owner: Any, mail_limit: int) -> None:
    from django.test import override_settings

    from exports import jobs
    from exports.models import ExportTask

    task = ExportTask.objects.request(owner.pk)[0]
    task.claim()
    with override_settings(EXPORT_MAIL_LIMIT=mail_limit):
        jobs.build_archive(task)
    task.archive.delete()


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]))))
