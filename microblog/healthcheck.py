"""What a container's health check runs (`python -m microblog.healthcheck`): is the site beside it alive?"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def is_alive(port: int, seconds: float = 4) -> bool:
    """Whether the site on that port answers /healthz with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ.get("PORT", "8000"))) else 1)
