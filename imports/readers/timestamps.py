"""Timestamps as the sources write them; None where they cannot be read."""

import re
from datetime import UTC, datetime

# A date alone is not enough.
MIN_LENGTH, MAX_LENGTH = 16, 64
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# English names, whatever the locale: "Tue May 04 09:08:07 +0000 2021".
TWITTER = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) \+0000 (\d{4})", re.ASCII
)


def parse_iso(value: object) -> datetime | None:
    """Parse ISO 8601 with any number of fraction digits; without a zone it is UTC."""
    if not isinstance(value, str) or not MIN_LENGTH <= len(value) <= MAX_LENGTH:
        return None
    try:
        timestamp = datetime.fromisoformat(value)
        if timestamp.tzinfo is None:
            return timestamp.replace(tzinfo=UTC)
        return timestamp.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_twitter(value: object) -> datetime | None:
    """Parse X's own form, or that of archives before 2019: "2015-01-24 02:02:37 +0000"."""
    if not isinstance(value, str):
        return None
    match = TWITTER.fullmatch(value)
    if match is None:
        return parse_iso(value.replace(" +0000", "+00:00"))
    if match[1] not in MONTHS:
        return None
    day, hour, minute, second, year = map(int, match.groups()[1:])
    try:
        return datetime(year, MONTHS.index(match[1]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
