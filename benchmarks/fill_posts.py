"""`python -m benchmarks.filling 1000 1000000`: somebody for each of these numbers, with so many posts.

They are written past the ORM and past the search's triggers, a million in seconds.
"""

import sys
from collections.abc import Iterator, Sequence

BASE = 100_000  # so many texts are made
YEARS = 8  # and lie so many years at most apart: a multiple of four, for the sake of every 29th of February
COLUMNS = "author_id, body, created_at, hidden_reason"

Row = tuple[int, str, str, str]


def fill(sizes: Sequence[int]) -> None:
    from django.db import connection

    from blog.models import User

    texts = _texts(min(max(sizes), BASE))
    authors = {
        size: User.objects.create(username=f"posts{size}", email=f"posts{size}@example.com")
        for size in sizes
    }
    rows = (row for size, author in authors.items() for row in _rows(author.pk, size, texts))
    (_fill_sqlite if connection.vendor == "sqlite" else _fill_postgresql)(rows)


def _texts(number: int) -> list[tuple[str, int, str]]:
    """Body, year, and the rest of the moment."""
    from blog.management import demo_data as demo

    made = ((text.body, text.created_at) for text in demo.texts("benchmark", BASE, seed=1))
    return [
        (body, moment.year, f"{moment.replace(tzinfo=None)}"[4:])
        for (body, moment), _ in zip(made, range(number), strict=False)
    ]


def _rows(author: int, size: int, texts: list[tuple[str, int, str]]) -> Iterator[Row]:
    """The texts, oldest first, over and over until there are enough; each round is of later years."""
    last = (size - 1) // BASE
    for turn in range(last + 1):
        shift = YEARS * (last - turn)
        for body, year, rest in texts[: size - turn * BASE]:
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
        cursor.execute("SET session_replication_role = replica")  # no triggers
        cursor.execute("SET TIME ZONE 'UTC'")
        with cursor.copy(f"COPY blog_post ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("VACUUM (ANALYZE) blog_post")  # as its own daemon does sooner or later


if __name__ == "__main__":
    import django

    django.setup()
    fill([int(size) for size in sys.argv[1:]])
