"""Health check of the container: `python -m microblog.healthcheck` asks the site on PORT.

Needs no Django: it runs every 15 seconds, and importing Django would take longer than the request.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def is_alive(port: int, timeout_seconds: float = 4) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ.get("PORT", "8000"))) else 1)
