"""Streamed zip files: equal input in equal pieces gives equal bytes.

Python's zipfile does not fit: it has to know beforehand whether a file will exceed 4 GiB, and it
deflates ten times slower than isal.
"""

from struct import Struct, pack
from typing import NamedTuple

from isal import isal_zlib

LIMIT = 0xFFFFFFFF  # largest size or offset without Zip64
ELSEWHERE = 0xFFFFFFFF  # "the value is in the Zip64 field"

# As in PKWARE's APPNOTE, section 4.3
LOCAL = Struct("<4s5H3I2H")
CENTRAL = Struct("<4s4B4H3I5H2I")
END = Struct("<4s4H2IH")
END_64 = Struct("<4sQ4B2I4Q")
LOCATOR_64 = Struct("<4sIQI")

VERSION, VERSION_64, UNIX = 20, 45, 3
SIZES_FOLLOW, DEFLATED = 8, 8
TIME, DATE = 0, 1 << 5 | 1  # 1 January 1980, the earliest date that a zip file can hold
PRIVATE_FILE = 0o100600 << 16


class Zip:
    """Zip file under construction, with one open member at a time.

    Each method returns the bytes that come next in the file.
    """

    def __init__(self) -> None:
        self._size = 0
        self._members: list[_Member] = []

    def begin(self, name: str) -> bytes:
        """Open a member with an ASCII name, readable by its owner only once unpacked."""
        self._name, self._offset = name.encode("ascii"), self._size
        self._plain = self._packed = self._crc = 0
        self._deflate = isal_zlib.compressobj(wbits=-isal_zlib.MAX_WBITS)
        head = LOCAL.pack(
            b"PK\x03\x04", VERSION, SIZES_FOLLOW, DEFLATED, TIME, DATE, 0, 0, 0, len(self._name), 0
        )
        return self._counted(head + self._name)

    def write(self, data: bytes) -> bytes:
        self._plain += len(data)
        self._crc = isal_zlib.crc32(data, self._crc)
        return self._deflated(self._deflate.compress(data))

    def end(self) -> bytes:
        rest = self._deflated(self._deflate.flush())
        member = _Member(self._name, self._crc, self._plain, self._packed, self._offset)
        self._members.append(member)
        sizes = "2Q" if max(self._plain, self._packed) > LIMIT else "2I"
        return rest + self._counted(
            pack(f"<4sI{sizes}", b"PK\x07\x08", self._crc, self._packed, self._plain)
        )

    def close(self) -> bytes:
        """Return the central directory, which ends the zip file."""
        directory, number = b"".join(member.entry() for member in self._members), len(self._members)
        end = b""
        if max(self._size, len(directory)) > LIMIT:
            versions = (VERSION_64, UNIX, VERSION_64, 0)
            size = END_64.size - 12
            end = END_64.pack(
                b"PK\x06\x06", size, *versions, 0, 0, number, number, len(directory), self._size
            )
            end += LOCATOR_64.pack(b"PK\x06\x07", 0, self._size + len(directory), 1)
        bounded = map(_bounded, (len(directory), self._size))
        return directory + end + END.pack(b"PK\x05\x06", 0, 0, number, number, *bounded, 0)

    def _deflated(self, data: bytes) -> bytes:
        self._packed += len(data)
        return self._counted(data)

    def _counted(self, data: bytes) -> bytes:
        self._size += len(data)
        return data


class _Member(NamedTuple):
    """Closed member: its plain and packed size and its offset, all in bytes."""

    name: bytes
    crc: int
    plain: int
    packed: int
    offset: int

    def entry(self) -> bytes:
        """Return this member's entry in the central directory."""
        places = (self.plain, self.packed, self.offset)
        large = [value for value in places if value > LIMIT]
        extra = pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        version = VERSION_64 if large else VERSION
        plain, packed, offset = map(_bounded, places)
        head = CENTRAL.pack(
            *(b"PK\x01\x02", version, UNIX, version, 0, SIZES_FOLLOW, DEFLATED, TIME, DATE),
            *(self.crc, packed, plain, len(self.name), len(extra), 0, 0, 0, PRIVATE_FILE, offset),
        )
        return head + self.name + extra


def _bounded(value: int) -> int:
    return value if value <= LIMIT else ELSEWHERE
