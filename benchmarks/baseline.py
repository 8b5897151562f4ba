"""The floor under the site's pages: plain views that send the same statements, and answer with bytes that are ready.

Used as ROOT_URLCONF with no middleware at all: whoever asks is found by the statements, which are those of a session.
"""

import json
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

PAGES = "floor.json"


@cache
def pages() -> dict[str, dict[str, Any]]:
    """`statements` and `body` of each path, from PAGES in VAR_DIR."""
    kept: dict[str, dict[str, Any]] = json.loads((settings.VAR_DIR / PAGES).read_text())
    return kept


def plain(request: HttpRequest, name: str) -> HttpResponse:
    page = pages()[f"/{name}"]
    with connection.cursor() as cursor:
        for statement in page["statements"]:
            cursor.execute(statement)
            cursor.fetchall()
    return HttpResponse(page["body"])


urlpatterns = [path("", plain, {"name": ""}), path("<path:name>", plain)]
