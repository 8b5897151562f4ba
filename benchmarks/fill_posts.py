"""`python -m benchmarks.fill_posts 1000 1000000`: create an author for each number of posts.

The rows bypass the ORM and the search triggers, so a million take seconds.
"""

import sys
from collections.abc import Iterator, Sequence

DISTINCT_TEXTS = 100_000
# Years that the distinct texts span. A multiple of four, so that 29 February stays valid.
SPAN_YEARS = 8
COLUMNS = "author_id, body, created_at, hidden_reason"

Row = tuple[int, str, str, str]


def fill(sizes: Sequence[int]) -> None:
    """Create a user `posts<size>` with that many posts for each size."""
    from django.db import connection

    from blog.models import User

    texts = _texts(min(max(sizes), DISTINCT_TEXTS))
    authors = {
        size: User.objects.create(username=f"posts{size}", email=f"posts{size}@example.com")
        for size in sizes
    }
    rows = (row for size, author in authors.items() for row in _rows(author.pk, size, texts))
    (_fill_sqlite if connection.vendor == "sqlite" else _fill_postgresql)(rows)


def _texts(number: int) -> list[tuple[str, int, str]]:
    """Return (body, year, rest of the timestamp) tuples."""
    from blog.management import demo_data as demo

    texts = demo.generate_posts("benchmark", DISTINCT_TEXTS, seed=1)
    return [
        (text.body, text.created_at.year, f"{text.created_at.replace(tzinfo=None)}"[4:])
        for text, _ in zip(texts, range(number), strict=False)
    ]


def _rows(author: int, size: int, texts: list[tuple[str, int, str]]) -> Iterator[Row]:
    """Repeat the texts, oldest first, until there are `size` posts; each repetition is later."""
    last_repetition = (size - 1) // DISTINCT_TEXTS
    for repetition in range(last_repetition + 1):
        shift = SPAN_YEARS * (last_repetition - repetition)
        for body, year, rest in texts[: size - repetition * DISTINCT_TEXTS]:
            yield author, body, f"{year - shift}{rest}", ""


def _fill_sqlite(rows: Iterator[Row]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for name in ("added", "removed", "changed"):
            cursor.execute(f"DROP TRIGGER blog_post_words_{name}")
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.execute("BEGIN")
        connection.connection.executemany(
            f"INSERT INTO blog_post ({COLUMNS}) VALUES (?, ?, ?, ?)", rows
        )
        cursor.execute("COMMIT")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute("ANALYZE")


def _fill_postgresql(rows: Iterator[Row]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # disables triggers
        cursor.execute("SET TIME ZONE 'UTC'")
        with cursor.copy(f"COPY blog_post ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("VACUUM (ANALYZE) blog_post")  # as autovacuum would do eventually


if __name__ == "__main__":
    import django

    django.setup()
    fill([int(size) for size in sys.argv[1:]])
