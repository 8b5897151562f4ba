"""Downloads and uploads that the site serves itself, limited so that threads remain for pages.

A slow client occupies a thread of gunicorn for the whole transfer. gunicorn.conf.py sets the limit;
without gunicorn there is none. nginx reads and writes for slow clients itself.
"""

from threading import BoundedSemaphore
from typing import Any

from django.http import FileResponse
from django.utils.translation import gettext as _

RETRY_SECONDS = 60

_slots: BoundedSemaphore | None = None


class TooManyTransfers(Exception):
    """All slots of this process are taken."""


def limit_to_half_of(threads: int) -> None:
    """Let transfers take up to half of the process's threads, and at least one."""
    global _slots  # one limit for all threads of the process
    _slots = BoundedSemaphore(max(1, threads // 2))


class Slot:
    """Slot of one transfer. Raises TooManyTransfers; `release` may be called repeatedly.

    Released with the object, too, in case that an error replaces a response before it is sent.
    """

    def __init__(self) -> None:
        self._slots: BoundedSemaphore | None = None
        if _slots is not None and not _slots.acquire(blocking=False):
            raise TooManyTransfers
        self._slots = _slots

    def release(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()

    def __del__(self) -> None:
        self.release()


class LimitedFileResponse(FileResponse):
    """File download that holds a slot until it has ended.

    Raises TooManyTransfers, after closing the file.
    """

    def __init__(self, file: Any, **kwargs: Any) -> None:
        try:
            self._slot = Slot()
        except TooManyTransfers:
            file.close()
            raise
        super().__init__(file, **kwargs)

    def close(self) -> None:
        """Release the slot. The server calls this when the file is sent or the client is gone."""
        try:
            super().close()
        finally:
            self._slot.release()


def busy_message() -> str:
    return _("Many archives are being downloaded right now. Please try again in a minute.")
