"""Naive export to compare with: load every post, report each one, dump everything as one JSON.

The progress of each post is committed and sent to the broker.

`python -m benchmarks.naive_export 1000` builds that archive and prints the seconds. `--mail` also
sends it. `--every 100` reports progress less often, which makes memory measurements faster.
"""

import json
from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from .installation import Installation


def measure_seconds(place: Installation, posts: int) -> float:
    return float(place.python("-m", "benchmarks.naive_export", str(posts)))


def measure_peak_memory(place: Installation, posts: int) -> int:
    """Return the peak memory in bytes, mail included."""
    return place.peak_memory("-m", "benchmarks.naive_export", str(posts), "--every=100", "--mail")


def export(author: Any, every: int = 1) -> str:
    from django_rq import get_connection

    from blog.models import Notification

    broker = get_connection("default")
    total, posts = author.posts.count(), []
    for done, post in enumerate(author.posts.oldest_first(), 1):
        posts.append(
            {"body": post.body, "timestamp": post.created_at.isoformat().replace("+00:00", "Z")}
        )
        if done % every == 0:
            Notification.objects.upsert(author.pk, "naive", {"progress": 100 * done // total})
            broker.hset("naive", "progress", str(100 * done // total))
    return json.dumps({"posts": posts})


def send(author: Any, archive: str) -> None:
    from django.core.mail import EmailMessage

    message = EmailMessage("Your posts", "Here they are.", to=[author.email])
    message.attach("posts.json", archive, "application/json")
    message.send()


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.naive_export", description=__doc__)
    parser.add_argument("posts", type=int)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--mail", action="store_true")
    options = parser.parse_args()
    import django

    django.setup()
    from blog.models import User

    author = User.objects.get(username=f"posts{options.posts}")
    start = perf_counter()
    archive = export(author, options.every)
    print(perf_counter() - start)
    if options.mail:
        send(author, archive)


if __name__ == "__main__":
    main()
