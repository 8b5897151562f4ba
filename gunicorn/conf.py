"""What gunicorn reads by itself: its lines look like the site's, and its workers count requests together."""

import os
import shutil
import tempfile
from typing import Any

from environ import Env

Env.read_env(".env")
log_format = os.environ.get("LOG_FORMAT") or (
    "plain" if Env().bool("DEBUG", default=False) else "json"
)

# What the workers count lies in files, and outlives each of them, until the master ends.
counts = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(prefix="microblog-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts

# For the master: in the workers the site's own settings take its place.
logconfig_dict = {
    "filters": {"request_id": {"()": "microblog.logs.RequestIdFilter"}},
    "formatters": {
        "json": {"()": "microblog.logs.JsonFormatter"},
        "plain": {"()": "microblog.logs.PlainFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": log_format,
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "WARNING", "handlers": []},
    },
}


def on_exit(server: Any) -> None:
    shutil.rmtree(counts, ignore_errors=True)
