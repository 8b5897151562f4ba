"""Query times of home timelines, of a profile's counts and of searches, on both databases.

Timelines: first and last page of a user who follows a thousand accounts, and of one who follows
three accounts with few posts. Searches: words in one, many and most of the posts. Each time is the
best of many. `python -m benchmarks.timeline` runs it; with `--measure` it is the measured process.
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
BATCH_SIZE = 10_000
POSTS = 50_000
PEOPLE = 10_000
QUIET_AUTHORS = 3
FOLLOWED_BY_BUSY = 1000
FIRST_POST_AT = datetime(2020, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=2000)
RARE_WORD = "Quagga"
RARE_WORD_INTERVAL = 100_000  # posts
SEARCHES = {"rare": RARE_WORD, "common": "night train", "commonest": "the", "Chinese": "晚霞"}
READERS = ("busy", "quiet")


def run(posts: int = POSTS, people: int = PEOPLE) -> dict[str, Any]:
    """Return the milliseconds of each query, by database."""
    return {
        "posts": posts,
        "people": people,
        "milliseconds": {name: _run_on_database(name, posts, people) for name in DATABASES},
    }


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return title, first page, last page, and the ratio of the slower to the faster."""
    rows = []
    for database, pages in result["milliseconds"].items():
        for reader in READERS:
            first, last = pages[f"{reader} first"], pages[f"{reader} last"]
            ratio = max(first, last) / min(first, last)
            title = (
                f"timeline of the {reader} reader, {result['posts']:,} posts, "
                f"first and last page, {database}"
            )
            rows.append((title, f"{first:.1f} ms", f"{last:.1f} ms", f"{ratio:.2f}"))
        for name, text in SEARCHES.items():
            milliseconds = f"{pages[f'search {name}']:.1f} ms"
            rows.append((f"search for “{text}”, {database}", milliseconds, "", ""))
        milliseconds = f"{pages['counts']:.1f} ms"
        rows.append(
            (f"counts of the profile with most followers, {database}", milliseconds, "", "")
        )
    return rows


def _run_on_database(database: str, posts: int, people: int) -> dict[str, float]:
    print(f"{posts:,} posts by {people:,} people on {database} ...", file=sys.stderr)
    with installation(database=database) as place:
        arguments = (f"--posts={posts}", f"--people={people}")
        measured: dict[str, float] = json.loads(
            place.python("-m", "benchmarks.timeline", "--measure", *arguments)
        )
        return measured


def _fill(posts: int, people: int) -> None:
    """Create the users and posts.

    `busy` follows a thousand accounts, `quiet` three accounts with few posts. `loud` writes a tenth
    of all posts and is followed by nearly all users.
    """
    from django.db import connection

    from blog.models import Follow, Post, User

    names = ["busy", "quiet", "loud", *(f"user{number}" for number in range(people - 3))]
    User.objects.bulk_create(
        (User(username=name, email="") for name in names), batch_size=BATCH_SIZE
    )
    busy, quiet, loud, *others = User.objects.order_by("pk")
    quiet_authors, authors = others[:QUIET_AUTHORS], others[QUIET_AUTHORS:]
    random = Random(1)
    followed = [*random.sample(authors, min(FOLLOWED_BY_BUSY, len(authors)) - 1), loud]
    Follow.objects.bulk_create(Follow(follower=busy, followed=user) for user in followed)
    Follow.objects.bulk_create(Follow(follower=quiet, followed=user) for user in quiet_authors)
    Follow.objects.bulk_create(Follow(follower=user, followed=loud) for user in authors)
    Post.objects.bulk_create(
        Post(author=user, body="Hello", created_at=FIRST_POST_AT + SPAN * random.random())
        for user in quiet_authors
        for _ in range(10)
    )
    step = SPAN / posts
    stream = (
        Post(
            author=random.choice(authors) if number % 10 else loud,
            body=body,
            created_at=FIRST_POST_AT + step * number,
        )
        for number, body in enumerate(_bodies(posts))
    )
    while batch := list(islice(stream, BATCH_SIZE)):
        Post.objects.bulk_create(batch)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # as autovacuum would do eventually


def _bodies(posts: int) -> Iterator[str]:
    from blog.management import demo_data as demo

    for number, text in enumerate(demo.generate_posts("benchmark", posts, seed=1)):
        is_rare = number % RARE_WORD_INTERVAL == min(posts, RARE_WORD_INTERVAL) // 2
        yield RARE_WORD if is_rare else text.body


def _measure() -> dict[str, float]:
    from blog.models import Post, User
    from blog.pagination import Page, build_page

    def page(reader: User, before: str | None) -> Page[Post]:
        return build_page(Post.objects.timeline_of(reader, before).select_related("author"), before)

    seconds = {}
    for name in READERS:
        reader = User.objects.get(username=name)
        last = _last_cursor(reader)
        seconds[f"{name} first"] = _best_seconds(partial(page, reader, None))
        seconds[f"{name} last"] = _best_seconds(partial(page, reader, last))
    for name, text in SEARCHES.items():
        seconds[f"search {name}"] = _best_seconds(partial(_search, text, reader))
    seconds["counts"] = _best_seconds(
        lambda: User.objects.with_profile(reader).get(username="loud")
    )
    return {name: 1000 * value for name, value in seconds.items()}


def _search(text: str, reader: Any) -> None:
    from blog.models import Post
    from blog.search.query import SearchQuery

    if not SearchQuery(text).posts(Post.objects.suggested_to(reader)).keys:
        raise RuntimeError(f"The search for {text} found nothing.")


def _last_cursor(reader: Any) -> str:
    """Return the cursor of the page with the oldest posts."""
    from blog.models import Post
    from blog.pagination import PAGE_SIZE, format_cursor

    posts = Post.objects.filter(author__followers__follower=reader).oldest_first()
    return format_cursor(posts[PAGE_SIZE])


def _best_seconds(work: Callable[[], Any]) -> float:
    """Return the shortest duration: other work on the machine can only add to it."""
    work()
    durations = []
    for _ in range(ROUNDS):
        start = perf_counter()
        work()
        durations.append(perf_counter() - start)
    return min(durations)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.timeline", description=__doc__)
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument(
        "--measure", action="store_true", help="fill and measure the database of DATABASE_URL"
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
