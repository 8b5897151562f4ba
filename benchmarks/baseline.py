"""Baseline of the site's pages: views that run the same SQL and return prepared bytes.

Used as ROOT_URLCONF without any middleware. The SQL includes the queries of the session, so the
views need no authentication.
"""

import json
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

PAGES_FILE = "baseline.json"


@cache
def pages() -> dict[str, dict[str, Any]]:
    """Return `statements` and `body` of each path, from PAGES_FILE in VAR_DIR."""
    content: dict[str, dict[str, Any]] = json.loads((settings.VAR_DIR / PAGES_FILE).read_text())
    return content


def baseline_view(request: HttpRequest, name: str) -> HttpResponse:
    page = pages()[f"/{name}"]
    with connection.cursor() as cursor:
        for statement in page["statements"]:
            cursor.execute(statement)
            cursor.fetchall()
    return HttpResponse(page["body"])


urlpatterns = [path("", baseline_view, {"name": ""}), path("<path:name>", baseline_view)]
