"""Settings that gunicorn reads by itself: log format, and a folder for the workers' metrics."""

import os
import shutil
import sys
import tempfile
from typing import Any

from environ import Env

from microblog.environment import Environment, InvalidVariable

Env.read_env(".env")
env = Environment(os.environ)
try:
    log_format = env.choice(
        "LOG_FORMAT",
        "plain" if env.boolean("DEBUG", default=False) else "json",
        ("json", "plain"),
    )
except InvalidVariable as error:
    sys.exit(str(error))

# A client's header must not move the site below a path; by default gunicorn accepts SCRIPT_NAME.
forwarder_headers = ""

# The workers keep their counters in files here, which remain until the master exits.
metrics_dir = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(
    prefix="microblog-metrics-"
)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir

# For the master only: the workers load the site's LOGGING instead.
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
    shutil.rmtree(metrics_dir, ignore_errors=True)
