"""Zip files that come out as they are written, the same bytes for the same contents."""

import io
from typing import Any
from zipfile import ZIP_DEFLATED, ZipInfo

PACKED_AT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can tell


def member(name: str) -> ZipInfo:
    """A file in a zip, which only its owner may read once it is unpacked."""
    info = ZipInfo(name, date_time=PACKED_AT)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


class Outlet(io.RawIOBase):
    """A file that keeps what is written only until it is taken; zipfile must not seek in it."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data
