"""Production-like site in a temporary folder, and an HTTP load generator for it."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import local
from urllib.parse import urlsplit

import django

from dev.stack import Stack

from .installation import BASE_DIR, database_url

DATABASES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
MAX_CONNECTIONS = 8  # the number of the site's threads
Page = tuple[str, str]  # path and `Cookie` header


@contextmanager
def production_stack(database: str) -> Iterator[Stack]:
    """Yield a migrated stack on "sqlite" or "postgres", with DEBUG off and no process started.

    Django is set up for its database, which works once per process.
    """
    with TemporaryDirectory(prefix="microblog-bench-") as folder:
        var = Path(folder) / "var"
        var.mkdir()
        variables = {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": database_url(DATABASES[database], Path(folder)),
            "EXPORT_COOLDOWN": "0",
            "EXPORT_MAX_RATE": "0",
            "RATE_LIMITS": "false",
            "LOG_LEVEL": "INFO",
        }
        with Stack(var, **variables) as stack:
            os.environ.update(stack.env)
            django.setup()
            stack.run("migrate", "--verbosity=0")
            # No measured page uses the many files of the admin.
            options = ("--no-input", "--verbosity=0", "--ignore=admin", "--ignore=django_rq")
            stack.run("collectstatic", *options)
            yield stack


def run_module(module: str, *arguments: str) -> str:
    """Run `python -m module` and return its output.

    A Django process can be set up for one database only.
    """
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


class PageLoadGenerator:
    """Client that requests pages over persistent connections, as a proxy does."""

    def __init__(self, site_url: str, pages: Sequence[Page]) -> None:
        self.netloc = urlsplit(site_url).netloc
        self.pages = pages
        self._thread_local = local()

    def run_at_rate(self, rate: float, should_continue: Callable[[float], bool]) -> list[float]:
        """Send `rate` requests per second while `should_continue(elapsed seconds)`.

        Return the latency of each in seconds. It counts from the scheduled time, so a slow response
        does not hide the wait of the next request (coordinated omission).
        """
        start, number, results = time.perf_counter(), 0, []
        with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
            while should_continue(time.perf_counter() - start):
                due = start + number / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                page = self.pages[number % len(self.pages)]
                results.append(pool.submit(self._measure_request, page, due))
                number += 1
            return [result.result() for result in results]

    def run_at_full_speed(self, count: int, concurrency: int = 2) -> tuple[float, list[float]]:
        """Send `count` requests without pauses.

        Return the requests per second, and the latency of each in seconds.
        """
        start = time.perf_counter()
        with ThreadPoolExecutor(concurrency) as pool:
            pages = islice(cycle(self.pages), count)
            seconds = list(pool.map(self._measure_request, pages))
        return count / (time.perf_counter() - start), seconds

    def _measure_request(self, page: Page, due: float | None = None) -> float:
        start = time.perf_counter() if due is None else due
        try:
            status = self._request(page)
        except ConnectionError:
            # The site closed the idle connection at this moment. Retry, as a proxy does.
            self._connection().close()
            status = self._request(page)
        if status != 200:
            raise RuntimeError(f"{page[0]}: {status}")
        return time.perf_counter() - start

    def _request(self, page: Page) -> int:
        connection = self._connection()
        connection.request("GET", page[0], headers={"Cookie": page[1], "Accept-Language": "en"})
        response = connection.getresponse()
        response.read()
        return response.status

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._thread_local, "connection"):
            self._thread_local.connection = HTTPConnection(self.netloc, timeout=60)
        connection: HTTPConnection = self._thread_local.connection
        return connection


def p95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(seconds)[ceil(0.95 * len(seconds)) - 1]
