"""What all files of all archives look like: a person's name, a list of rows, and how many they are."""

import json
from collections.abc import Generator
from contextlib import closing
from itertools import islice

FORMAT_VERSION = 1


def listing(
    username: str, name: str, lines: Generator[str], rows: int
) -> Generator[tuple[int, bytes]]:
    """The file whose list `name` consists of `lines`, each the JSON of a row, at most `rows` of them a chunk.

    The count comes last, so that a file that was cut short has none.
    """
    yield (
        0,
        f'{{"version": {FORMAT_VERSION}, "username": {json.dumps(username)}, "{name}": [\n'.encode(),
    )
    total = 0
    # Closed in any case: on SQLite a statement that is left open keeps this connection from writing what went wrong.
    with closing(lines):
        while batch := list(islice(lines, rows)):
            yield len(batch), ",\n".join(["", *batch] if total else batch).encode()
            total += len(batch)
    yield 0, f'\n], "count": {total}}}\n'.encode()
