"""JSON files of an archive, read in little memory however large and hostile they are."""

import hashlib
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO, NamedTuple

import ijson  # type: ignore[import-untyped]
from ijson.backends import yajl2_c  # type: ignore[import-untyped]

CHUNK_BYTES = 1 << 16
MAX_ITEM_BYTES = 1 << 20  # a post of 10,000 characters has 120,000 bytes, if all are escaped
MAX_DEPTH = 16

JSONPath = tuple[str, ...]


class InvalidJSON(Exception):
    """The file is not JSON, or not JSON that an archive could hold."""


class Item(NamedTuple):
    """Element of a list whose elements are read one by one."""

    path: JSONPath
    value: Any


class JSONReader:
    """Reads a JSON file as a stream; counts and hashes its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0
        self.digest = hashlib.sha256()
        self.document: Any = None
        self._item_bytes = 0
        self._depth = 0

    def read(self, size: int = -1) -> bytes:
        """Read the next chunk, for the parser."""
        data = self.file.read(min(size, CHUNK_BYTES) if size >= 0 else CHUNK_BYTES)
        self.digest.update(data)
        self.size += len(data)
        self._item_bytes += len(data)
        if self._item_bytes > MAX_ITEM_BYTES:
            raise InvalidJSON(f"an entry is larger than {MAX_ITEM_BYTES:,} bytes")
        return data

    def skip_rest(self) -> None:
        """Read what the parser has left, for the size and the hash."""
        self._item_bytes = 0
        while self.read():
            self._item_bytes = 0

    def items(self, streamed: frozenset[JSONPath]) -> Iterator[Item]:
        """Yield the elements of the lists at the paths in `streamed`, inner ones first.

        Afterwards `document` is the rest, in which these lists are empty. Raises InvalidJSON.
        """
        self._streamed = streamed
        self._events = iter(yajl2_c.basic_parse(self, use_float=True))
        try:
            event, value = next(self._events)
            self.document = yield from self._value(event, value, ())
            next(self._events, None)  # raises an error for anything behind the document
        except (ijson.JSONError, ValueError) as error:
            raise InvalidJSON(str(error).strip().partition("\n")[0]) from None

    def _value(self, event: str, value: Any, path: JSONPath) -> Generator[Item, None, Any]:
        if event not in ("start_map", "start_array"):
            return value
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidJSON(f"nested more than {MAX_DEPTH} levels deep")
        read = self._map if event == "start_map" else self._array
        result = yield from read(path)
        self._depth -= 1
        return result

    def _map(self, path: JSONPath) -> Generator[Item, None, dict[str, Any]]:
        result = {}
        for event, key in self._events:
            if event == "end_map":
                break
            event, value = next(self._events)
            result[key] = yield from self._value(event, value, (*path, key))
        return result

    def _array(self, path: JSONPath) -> Generator[Item, None, list[Any]]:
        result = []
        for event, value in self._events:
            if event == "end_array":
                break
            element = yield from self._value(event, value, path)
            if path in self._streamed:
                yield Item(path, element)
                self._item_bytes = 0
            else:
                result.append(element)
        return result
