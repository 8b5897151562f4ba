"""The export as one writes it first, as the thing to beat: all posts as model instances, for each of them a commit and
a message to the broker that tell of the progress, one `json.dumps` of it all, and an e-mail.

`python -m benchmarks.naive 1000` builds that archive and prints the seconds; `--mail` sends it, too; `--every 100`
tells less often, for figures of memory that nobody has to wait for.
"""

import json
from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from .installation import Installation


def seconds(place: Installation, posts: int) -> float:
    return float(place.python("-m", "benchmarks.naive", str(posts)))


def peak_memory(place: Installation, posts: int) -> int:
    """In bytes, mail included."""
    return place.peak_memory("-m", "benchmarks.naive", str(posts), "--every=100", "--mail")


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
            Notification.objects.put(author.pk, "naive", {"progress": 100 * done // total})
            broker.hset("naive", "progress", str(100 * done // total))
    return json.dumps({"posts": posts})


def send(author: Any, archive: str) -> None:
    from django.core.mail import EmailMessage

    message = EmailMessage("Your posts", "Here they are.", to=[author.email])
    message.attach("posts.json", archive, "application/json")
    message.send()


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.naive", description=__doc__)
    parser.add_argument("posts", type=int)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--mail", action="store_true")
    options = parser.parse_args()
    import django

    django.setup()
    from blog.models import User

    author = User.objects.get(username=f"posts{options.posts}")
    begin = perf_counter()
    archive = export(author, options.every)
    print(perf_counter() - begin)
    if options.mail:
        send(author, archive)


if __name__ == "__main__":
    main()
