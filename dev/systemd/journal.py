"""Entries of a machine's journal, and which of them are errors."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_ERROR_PRIORITY = 3  # syslog's: err, crit, alert, emerg
ERROR_LEVELS = {"ERROR", "CRITICAL"}
SERVICES = "microblog-"


@dataclass(frozen=True)
class Entry:
    """One line: `source` is the unit or program that wrote it, `priority` syslog's number."""

    time: str
    source: str
    priority: int
    text: str

    def __str__(self) -> str:
        """Return the line for people: of a log line in JSON its level, message and traceback."""
        fields = self._fields
        if not fields:
            return f"{self.time} {self.source}: {self.text}"
        exception = "\n" + fields["exception"] if "exception" in fields else ""
        return f"{self.time} {self.source}: {self._level} {fields.get('message')}{exception}"

    @property
    def is_error(self) -> bool:
        """True for an error by priority or by log level, and for a service's line without level.

        The services log JSON only, so any other line is a traceback or a message of an interpreter.
        """
        if self.priority <= MAX_ERROR_PRIORITY:
            return True
        return self.source.startswith(SERVICES) and self._level in ERROR_LEVELS | {""}

    @property
    def is_access(self) -> bool:
        return self._fields.get("logger") == "microblog.access"

    @property
    def _level(self) -> str:
        return str(self._fields.get("level", ""))

    @property
    def _fields(self) -> dict[str, Any]:
        """The fields of a log line in JSON; none of any other line."""
        try:
            fields = json.loads(self.text)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}


def parse(output: str) -> Iterator[Entry]:
    """Parse the output of `journalctl --output json`."""
    for line in output.splitlines():
        fields: dict[str, Any] = json.loads(line)
        text = fields.get("MESSAGE") or ""
        if isinstance(text, list):  # the bytes of a text with control characters
            text = bytes(text).decode(errors="replace")
        yield Entry(
            time=_clock(int(fields["__REALTIME_TIMESTAMP"])),
            source=_source(fields),
            priority=int(fields.get("PRIORITY", 6)),
            text=text,
        )


def _clock(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%H:%M:%S.%f")[:-3]


def _source(fields: dict[str, Any]) -> str:
    """Return the unit of a service's own line, and the program of any other, such as systemd."""
    unit = str(fields.get("_SYSTEMD_UNIT", ""))
    if unit.startswith(SERVICES):
        return unit
    return str(fields.get("SYSLOG_IDENTIFIER", unit))


def errors(entries: Sequence[Entry], expected: Sequence[str]) -> list[Entry]:
    """Return the errors that no regular expression of `expected` matches."""
    return [
        entry
        for entry in entries
        if entry.is_error and not any(re.search(pattern, str(entry)) for pattern in expected)
    ]
