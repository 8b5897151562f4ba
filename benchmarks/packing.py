"""Goal 4: the build of a zipped archive, compared with the build of a plain one.

Both are everything that a worker does between claim and mail, for the same posts, alternately.
`python -m benchmarks.packing` is the measured process. On SQLite, whose plain build is the faster
one, so that zipping weighs more.
"""

import hashlib
import json
import sys
import zipfile
from time import perf_counter
from typing import Any

from .installation import installation
from .report import Goal

POSTS = 1_000_000
ROUNDS = 5
MAX_RATIO = 1.6
MAIL_LIMITS = {"zipped": 0, "plain": 10**12}  # values of EXPORT_MAIL_LIMIT


def run(posts: int = POSTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return for each side the size in bytes and the shortest duration in seconds."""
    with installation(posts) as place:
        print(f"Building archives of {posts:,} posts, {rounds} rounds ...", file=sys.stderr)
        result: dict[str, Any] = json.loads(
            place.python("-m", "benchmarks.packing", str(posts), str(rounds))
        )
        return result


def goals(result: dict[str, Any]) -> list[Goal]:
    zipped, plain = result["zipped"], result["plain"]
    ratio = zipped["seconds"] / plain["seconds"]
    share = zipped["bytes"] / plain["bytes"]
    return [
        Goal(
            number=4,
            title=f"Zipped build of {result['posts']:,} posts, SQLite",
            result=f"{ratio:.2f}x ({zipped['seconds']:.2f} s, to {share:.0%} of the size)",
            baseline=f"plain build: {plain['seconds']:.2f} s",
            target=f"at most {MAX_RATIO}x",
            is_met=ratio <= MAX_RATIO,
        )
    ]


def _measure(posts: int, rounds: int) -> dict[str, Any]:
    from blog.models import User

    owner = User.objects.get(username=f"posts{posts}")
    builds = [
        {side: _build(owner, limit) for side, limit in MAIL_LIMITS.items()} for _ in range(rounds)
    ]
    if len({build["sha256"] for pair in builds for build in pair.values()}) != 1:
        raise SystemExit("The zipped and the plain archives have different contents.")
    return {"posts": posts} | {
        side: {
            "bytes": builds[0][side]["bytes"],
            # Other work on the machine can only add to it.
            "seconds": min(pair[side]["seconds"] for pair in builds),
        }
        for side in MAIL_LIMITS
    }


def _build(owner: Any, mail_limit: int) -> dict[str, Any]:
    """Return the seconds, the size of the file, and the SHA-256 of its contents, unzipped."""
    from django.test import override_settings

    from exports.models import ExportTask
    from tasks.heartbeat import Heartbeat

    task = ExportTask.objects.request(owner)[0]
    task.claim()
    start = perf_counter()
    with override_settings(EXPORT_MAIL_LIMIT=mail_limit):
        with Heartbeat(task.renew) as heartbeat:
            fields = task.perform(heartbeat)
        task.finish(**fields)
    seconds = perf_counter() - start
    sha256 = task.archive_sha256
    if zipfile.is_zipfile(task.archive.path):
        with zipfile.ZipFile(task.archive.path) as zip_file:
            sha256 = hashlib.sha256(zip_file.read("posts.json")).hexdigest()
    result = {"seconds": seconds, "bytes": task.archive_bytes, "sha256": sha256}
    task.archive.delete()
    return result


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]))))
