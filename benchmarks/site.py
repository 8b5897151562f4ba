"""The site as in production, in a temporary folder, and people who visit it at a steady rate."""

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
VISITORS = 8  # as many as the site has threads
Page = tuple[str, str]
"""A path, and the cookies of whoever asks for it."""


@contextmanager
def production(database: str) -> Iterator[Stack]:
    """A migrated stack with DEBUG off and collected files, nothing of it started, on "sqlite" or "postgres".

    Django is set up for its database, which goes once a process.
    """
    with TemporaryDirectory(prefix="microblog-bench-") as folder:
        var = Path(folder) / "var"
        var.mkdir()
        changes = {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": database_url(DATABASES[database], Path(folder)),
            "EXPORT_COOLDOWN": "0",
            "EXPORT_MAX_RATE": "0",
            "RATE_LIMITS": "false",
            "LOG_LEVEL": "INFO",
        }
        with Stack(var, **changes) as stack:
            os.environ.update(stack.env)
            django.setup()
            stack.run("migrate", "--verbosity=0")
            # The admin's files are many, and no page that is measured names one.
            stack.run(
                "collectstatic",
                "--no-input",
                "--verbosity=0",
                "--ignore=admin",
                "--ignore=django_rq",
            )
            yield stack


def in_process(module: str, *arguments: str) -> str:
    """What `python -m module` prints in a process of its own, because Django takes one database a process."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


class Visitors:
    """Ask for pages over connections that are kept, as behind a proxy."""

    def __init__(self, site_url: str, pages: Sequence[Page]) -> None:
        self.netloc = urlsplit(site_url).netloc
        self.pages = pages
        self._of_thread = local()

    def at_rate(self, rate: float, go_on: Callable[[float], bool]) -> list[float]:
        """Seconds that each answer took since it was due, `rate` of them a second, while `go_on(seconds)`.

        A page that is late does not put off the next: who waits in line before the site waits, too.
        """
        began, number, answers = time.perf_counter(), 0, []
        with ThreadPoolExecutor(VISITORS) as pool:
            while go_on(time.perf_counter() - began):
                due = began + number / rate
                time.sleep(max(0.0, due - time.perf_counter()))  # a steady rate is what is measured
                answers.append(pool.submit(self._visit, self.pages[number % len(self.pages)], due))
                number += 1
            return [answer.result() for answer in answers]

    def as_fast_as_possible(self, count: int, at_once: int = 2) -> tuple[float, list[float]]:
        """Answers a second, and the seconds that each of `count` took, of so many visitors without a pause."""
        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            pages = islice(cycle(self.pages), count)
            seconds = list(pool.map(self._visit, pages))
        return count / (time.perf_counter() - began), seconds

    def _visit(self, page: Page, due: float | None = None) -> float:
        began = time.perf_counter() if due is None else due
        try:
            status = self._ask(page)
        except (
            ConnectionError
        ):  # the site has just ended one that was idle; a proxy asks again, too
            self._connection().close()
            status = self._ask(page)
        if status != 200:
            raise RuntimeError(f"{page[0]} was answered with {status}.")
        return time.perf_counter() - began

    def _ask(self, page: Page) -> int:
        connection = self._connection()
        connection.request("GET", page[0], headers={"Cookie": page[1], "Accept-Language": "en"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = HTTPConnection(self.netloc, timeout=60)
        connection: HTTPConnection = self._of_thread.connection
        return connection


def p95(seconds: Sequence[float]) -> float:
    """What 95 % of them do not exceed."""
    return sorted(seconds)[ceil(0.95 * len(seconds)) - 1]
