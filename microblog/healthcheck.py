"""What a container's health check runs (`python -m microblog.healthcheck`): is the site beside it alive?"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def is_alive(port: int, host: str, seconds: float = 4) -> bool:
    """Whether the site on that port answers /healthz with 200, to a proxy that speaks for `host`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    site = urlsplit(os.environ.get("SITE_URL", "http://localhost"))
    sys.exit(0 if is_alive(int(os.environ.get("PORT", "8000")), site.hostname or "localhost") else 1)
