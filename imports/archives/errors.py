"""The one exception that reading an uploaded archive may raise."""

import csv
import gzip
import logging
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import ijson  # type: ignore[import-untyped]
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

# Raised by the parsers for data that is cut short or changed.
DAMAGE = (
    csv.Error,
    EOFError,
    gzip.BadGzipFile,
    ijson.JSONError,
    RecursionError,
    struct.error,
    tarfile.HeaderError,
    UnicodeError,
    zlib.error,
)
# Raised by our own code for data of a shape that it does not expect.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Problem(TextChoices):
    """Reasons why an upload is refused, as sentences for the person who uploaded it."""

    UNKNOWN = (
        "UNKNOWN",
        _("This is not an archive of Microblog, Mastodon, X or Bluesky that we can read."),
    )
    EMPTY = "EMPTY", _("The file is empty.")
    TOO_LARGE = "TOO_LARGE", _("The file is larger than an import may be.")
    UNPACKED = "UNPACKED", _("The archive would be too large once it is unpacked.")
    RATIO = "RATIO", _("The archive is compressed more strongly than any real archive.")
    TOO_MANY_FILES = "TOO_MANY_FILES", _("The archive contains too many files.")
    FILE_NAME = "FILE_NAME", _("The archive contains a file whose name is not allowed.")
    LINK = "LINK", _("The archive contains a link or a device, and only files are allowed.")
    DUPLICATE = "DUPLICATE", _("The archive contains two files of the same name.")
    ENCRYPTED = (
        "ENCRYPTED",
        _("The archive is protected with a password. Please upload it without one."),
    )
    AGE = (
        "AGE",
        _(
            "The archive is encrypted with age. Please decrypt it on your computer first:\n"
            "1. Install age from https://age-encryption.org.\n"
            "2. Run: age --decrypt --output archive.zip archive.zip.age\n"
            "3. Upload the file archive.zip."
        ),
    )
    NESTED = (
        "NESTED",
        _("The archive contains another archive. Please unpack it and upload the inner one."),
    )
    COMPRESSION = (
        "COMPRESSION",
        _("The archive is compressed in a way that we cannot read. Please use an ordinary zip."),
    )
    SPLIT = "SPLIT", _("This is one part of an archive that was split. Please upload it whole.")
    DAMAGED = (
        "DAMAGED",
        _("The archive is damaged or incomplete. Please download it again and upload that."),
    )
    TOO_COMPLEX = "TOO_COMPLEX", _("The archive contains data that is too long or too nested.")
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS", _("The archive contains more entries than we can read.")
    VERSION = (
        "VERSION",
        _("The archive was written by a newer version of Microblog than this one."),
    )


class ArchiveError(Exception):
    """Data that cannot be imported; `str(error)` is the sentence in the active language."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem.label)


@contextmanager
def archive_errors() -> Iterator[None]:
    """Convert whatever parsers raise for bad data to ArchiveError.

    Errors of the disk or the storage (OSError) pass: they are not the archive's fault.
    """
    try:
        yield
    except DAMAGE as error:
        raise ArchiveError(Problem.DAMAGED) from error
    except UNEXPECTED as error:
        # A reader should check each shape itself, so this is also a fault of ours.
        logger.warning("Archive has an unexpected shape", exc_info=True)
        raise ArchiveError(Problem.DAMAGED) from error
