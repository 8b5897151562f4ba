"""Files as responses that can be resumed (RFC 9110, section 14)."""

import re
from typing import IO

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .transfers import LimitedFileResponse

RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)


class UnsatisfiableRange(Exception):
    """The range lies beyond the end of the file."""


class FilePart:
    """The next `length` bytes of a file."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._file.close()


def file_response(
    request: HttpRequest, file: IO[bytes], *, filename: str, content_type: str, etag: str
) -> HttpResponseBase:
    """Return the file, or the range of it that is asked for, as an attachment.

    A client that resumes a file with another ETag gets all of this one. Raise TooManyTransfers if
    the process is sending many files already.
    """
    size = file.seek(0, 2)
    is_current = request.headers.get("If-Range", etag) == etag
    try:
        part = parse_range(request.headers.get("Range", "") if is_current else "", size)
    except UnsatisfiableRange:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    selected = range(size) if part is None else part
    file.seek(selected.start)
    response = LimitedFileResponse(
        FilePart(file, len(selected)),
        as_attachment=True,
        filename=filename,
        content_type=content_type,
        status=200 if part is None else 206,
        headers={"Accept-Ranges": "bytes", "Content-Length": str(len(selected)), "ETag": etag},
    )
    if part is not None:
        response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return response


def parse_range(header: str, size: int) -> range | None:
    """Return the bytes that a Range header selects; None for the whole file.

    Servers may ignore ranges: several ones, and malformed ones, are.
    """
    match = RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if last and int(last) < int(first):
        return None
    if suffix:
        selected = range(max(0, size - int(suffix)), size)
    else:
        selected = range(int(first), min(size, int(last) + 1) if last else size)
    if not selected:
        raise UnsatisfiableRange
    return selected
