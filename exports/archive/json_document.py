"""The layout that all JSON files of all archives share: username, list of rows, row count."""

import json
from collections.abc import Generator
from contextlib import closing
from itertools import islice

FORMAT_VERSION = 1


def iter_json_document(
    username: str, list_name: str, rows: Generator[str], chunk_rows: int
) -> Generator[tuple[int, bytes]]:
    """Yield a JSON document in chunks, each as (number of rows, bytes).

    `rows` yields the JSON of one row at a time. The count comes last in the document,
    so a truncated file has none.
    """
    head = f'{{"version": {FORMAT_VERSION}, "username": {json.dumps(username)}, "{list_name}": [\n'
    yield 0, head.encode()
    total = 0
    # On SQLite an open statement keeps this connection from writing, so a build that fails
    # could not record its error: always close the cursor behind `rows`.
    with closing(rows):
        while batch := list(islice(rows, chunk_rows)):
            yield len(batch), ",\n".join(["", *batch] if total else batch).encode()
            total += len(batch)
    yield 0, f'\n], "count": {total}}}\n'.encode()
