"""Avatars drawn from the username: a mirrored pattern of five by five cells."""

from hashlib import sha256

CELLS = 5
HALF = (CELLS + 1) // 2


def draw(username: str) -> str:
    digest = sha256(username.lower().encode()).digest()
    hue = int.from_bytes(digest[:2], "big") % 360
    path = "".join(f"M{x + 1} {y + 1}h1v1h-1z" for x, y in _cells(digest[2:]))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7" shape-rendering="crispEdges">'
        f'<path fill="hsl({hue} 42% 86%)" d="M0 0h7v7H0z"/>'
        f'<path fill="hsl({hue} 48% 36%)" d="{path}"/></svg>'
    )


def _cells(digest: bytes) -> list[tuple[int, int]]:
    """Return seven or eight cells of the left half and middle column, and their mirror images."""
    half = [(x, y) for x in range(HALF) for y in range(CELLS)]
    ranked = sorted(half, key=lambda cell: digest[cell[0] * CELLS + cell[1]])
    chosen = ranked[: 7 + digest[-1] % 2]
    return sorted({(x, y) for left, y in chosen for x in (left, CELLS - 1 - left)})
