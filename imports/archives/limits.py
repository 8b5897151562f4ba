"""Bounds on what is read from an upload."""

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for one upload; all sizes are in bytes."""

    max_bytes: int = 200 * 1000 * 1000
    """Size of the upload."""
    max_unpacked_bytes: int = 2 << 30
    """Size of all its files together, once unpacked."""
    max_ratio: int = 200
    """Unpacked size divided by the upload's. JSON of posts reaches about 40."""
    min_ratio_bytes: int = 16 * MEGABYTE
    """Unpacked size from which on the ratio counts."""
    max_members: int = 20_000
    max_path_depth: int = 20
    """Mastodon's media files lie 11 folders deep."""
    max_name_length: int = 500
    max_json_depth: int = 32
    max_string_bytes: int = MEGABYTE // 2
    max_item_bytes: int = MEGABYTE
    """JSON text of one post, or one block of a CAR file."""
    max_items: int = 1_000_000
    """Posts and excluded items of one archive."""
    max_names: int = 50_000
    """Names in each list of followed, muted or blocked people."""
    max_blocks: int = 1_000_000
    """Blocks of a CAR file; each takes about 200 bytes of memory."""


DEFAULT_LIMITS = Limits()
