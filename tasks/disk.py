"""Free space on this host's disk, which work that writes large files needs."""

import shutil

from django.conf import settings


def has_space() -> bool:
    """Return whether EXPORT_MIN_FREE bytes are free on the disk of VAR_DIR."""
    return bool(shutil.disk_usage(settings.VAR_DIR).free >= settings.EXPORT_MIN_FREE)
