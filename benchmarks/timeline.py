"""The home timeline of somebody who follows a thousand people, and of somebody who follows three quiet ones.

On SQLite and on a real PostgreSQL, first page and last, each the best of many; the three counts of the busiest profile;
and searches for words that are rare, in many posts, and in most of them. `python -m benchmarks.timeline` runs all of
it; with `--measure` it is the process that is measured.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any

from .installation import DATABASES, installation

ROUNDS = 50
CHUNK = 10_000
POSTS = 50_000
PEOPLE = 10_000
QUIET = 3
FOLLOWED = 1000
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=2000)
RARE = "Quagga"  # in one post of a hundred thousand
SEARCHES = {"rare": RARE, "common": "night train", "commonest": "the", "Chinese": "晚霞"}
READERS = ("busy", "quiet")


def run(posts: int = POSTS, people: int = PEOPLE) -> dict[str, Any]:
    """Milliseconds of each page, by database and reader."""
    return {
        "posts": posts,
        "people": people,
        "milliseconds": {name: _run_on(name, posts, people) for name in DATABASES},
    }


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What was measured, first page, last page, and the ratio of the slower to the faster."""
    table = []
    for database, pages in result["milliseconds"].items():
        for reader in READERS:
            first, last = pages[f"{reader} first"], pages[f"{reader} last"]
            ratio = max(first, last) / min(first, last)
            label = f"timeline of the {reader} reader among {result['posts']:,} posts, first / last page, {database}"
            table.append((label, f"{first:.1f} ms", f"{last:.1f} ms", f"{ratio:.2f}"))
        for name, text in SEARCHES.items():
            table.append(
                (f"search for {text}, {database}", f"{pages[f'search {name}']:.1f} ms", "", "")
            )
        table.append(
            (f"counts of the busiest profile, {database}", f"{pages['counts']:.1f} ms", "", "")
        )
    return table


def _run_on(database: str, posts: int, people: int) -> dict[str, float]:
    print(f"{posts:,} posts by {people:,} people on {database} ...", file=sys.stderr)
    with installation(database=database) as place:
        arguments = (f"--posts={posts}", f"--people={people}")
        measured: dict[str, float] = json.loads(
            place.python("-m", "benchmarks.timeline", "--measure", *arguments)
        )
        return measured


def _fill(posts: int, people: int) -> None:
    """`quiet` follows three people with a few posts each, `busy` a thousand of the others; `loud` writes a tenth."""
    from django.db import connection

    from blog.models import Follow, Post, User

    names = ["busy", "quiet", "loud", *(f"person{number}" for number in range(people - 3))]
    User.objects.bulk_create((User(username=name, email="") for name in names), batch_size=CHUNK)
    busy, quiet, loud, *others = User.objects.order_by("pk")
    silent, writers = others[:QUIET], others[QUIET:]
    random = Random(1)
    followed = [*random.sample(writers, min(FOLLOWED, len(writers)) - 1), loud]
    Follow.objects.bulk_create(Follow(follower=busy, followed=person) for person in followed)
    Follow.objects.bulk_create(Follow(follower=quiet, followed=person) for person in silent)
    Follow.objects.bulk_create(Follow(follower=person, followed=loud) for person in writers)
    slow = [(person, BEGINNING + SPAN * random.random()) for person in silent for _ in range(10)]
    Post.objects.bulk_create(
        Post(author=author, body="Hello", created_at=moment) for author, moment in slow
    )
    step = SPAN / posts
    stream = (
        Post(
            author=random.choice(writers) if number % 10 else loud,
            body=body,
            created_at=BEGINNING + step * number,
        )
        for number, body in enumerate(_bodies(posts))
    )
    while chunk := list(islice(stream, CHUNK)):
        Post.objects.bulk_create(chunk)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # as its own daemon does sooner or later


def _bodies(posts: int) -> Iterator[str]:
    from blog.management import demo_data as demo

    for number, text in enumerate(demo.generate_posts("benchmark", posts, seed=1)):
        yield RARE if number % 100_000 == min(posts, 100_000) // 2 else text.body


def _measure() -> dict[str, float]:
    from blog.models import Post, User
    from blog.pagination import Page, build_page

    def page(reader: User, before: str | None) -> Page[Post]:
        return build_page(Post.objects.timeline_of(reader, before).select_related("author"), before)

    seconds = {}
    for name in READERS:
        reader = User.objects.get(username=name)
        last = _last_cursor(reader)
        seconds[f"{name} first"] = _timed(partial(page, reader, None))
        seconds[f"{name} last"] = _timed(partial(page, reader, last))
    for name, text in SEARCHES.items():
        seconds[f"search {name}"] = _timed(partial(_search, text, reader))
    seconds["counts"] = _timed(lambda: User.objects.with_profile(reader).get(username="loud"))
    return {name: 1000 * value for name, value in seconds.items()}


def _search(text: str, reader: Any) -> None:
    from blog.models import Post
    from blog.search.query import SearchQuery

    if not SearchQuery(text).posts(Post.objects.suggested_to(reader)).keys:
        raise RuntimeError(f"The search for {text} finds nothing.")


def _last_cursor(reader: Any) -> str:
    """The cursor of the page with the twenty oldest posts."""
    from blog.models import Post
    from blog.pagination import PAGE_SIZE, format_cursor

    theirs = Post.objects.filter(author__followers__follower=reader).oldest_first()
    return format_cursor(theirs[PAGE_SIZE])


def _timed(work: Callable[[], Any]) -> float:
    work()
    return min(_once(work) for _ in range(ROUNDS))  # what else the machine does only ever adds


def _once(work: Callable[[], Any]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.timeline", description=__doc__)
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument(
        "--measure", action="store_true", help="fill and measure the database of the environment"
    )
    options = parser.parse_args()
    if not options.measure:
        print(json.dumps(run(options.posts, options.people), indent=2))
        return
    import django

    django.setup()
    _fill(options.posts, options.people)
    print(json.dumps(_measure()))


if __name__ == "__main__":
    main()
