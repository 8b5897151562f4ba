"""Goal 7: cost of the site's pages and of a poll.

Pages run under gunicorn, compared with baseline views that run the same SQL, and in this process to
measure the CPU of each layer. `python -m benchmarks.pages` runs it; with `--measure` it is the
measured process.
"""

import json
import logging
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, TextIO
from unittest.mock import patch

from dev.stack import Child, Stack, commands, free_port

from . import plots
from .baseline import PAGES_FILE
from .report import Goal
from .site import DATABASES, Page, PageLoadGenerator, p95, production_stack, run_module

REQUESTS = 60  # per page and round
ROUNDS = 5
WARM_UP_REQUESTS = 20
POLLS = 200  # per poll round
POLL_ROUNDS = 7
USERS = 12
POST_RANGE = (150, 450)
MAX_QUERIES = 3
MAX_CPU_RATIO = 2.0
LAYERS = ("middleware", "view", "template", "database")


def run(requests: int = REQUESTS, polls: int = POLLS, database: str = "postgres") -> dict[str, Any]:
    """Return the measurements of each page, and of a poll.

    A page has requests per second and p95 latency in seconds, for the site and the baseline, and
    milliseconds of CPU per layer.
    """
    print(f"pages: {requests} requests per page, {ROUNDS} rounds ...", file=sys.stderr)
    arguments = (f"--requests={requests}", f"--polls={polls}", f"--database={database}")
    result: dict[str, Any] = json.loads(run_module("benchmarks.pages", "--measure", *arguments))
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    poll = result["poll"]
    queries, writes = poll["queries"], poll["writes"]
    ratio = poll["milliseconds"] / poll["empty_milliseconds"]
    return [
        Goal(
            number=7,
            title="Queries of a poll",
            result=f"{queries}, {writes} of them writes",
            baseline=f"empty signed-in view: {poll['empty_queries']}",
            target=f"at most {MAX_QUERIES}, no write",
            is_met=queries <= MAX_QUERIES and not writes,
        ),
        Goal(
            number=7,
            title="CPU of a poll",
            result=f"{ratio:.2f}x ({poll['milliseconds']:.2f} ms)",
            baseline=f"empty signed-in view: {poll['empty_milliseconds']:.2f} ms",
            target=f"at most {MAX_CPU_RATIO:g}x",
            is_met=ratio <= MAX_CPU_RATIO,
        ),
    ]


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return for each page its speed, the baseline's speed, and the ratio of the two."""
    return [
        (
            f"page: {name}",
            f"{page['rate']:.0f} per second, p95 {1000 * page['p95']:.0f} ms",
            f"baseline view: {page['baseline_rate']:.0f} per second, "
            f"p95 {1000 * page['baseline_p95']:.0f} ms",
            f"{page['baseline_rate'] / page['rate']:.1f}",
        )
        for name, page in result["pages"].items()
    ]


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a table with headings of the milliseconds of CPU per request."""
    rows: list[tuple[str, ...]] = [("page", "queries", *LAYERS, "total", "baseline")]
    for name, page in result["pages"].items():
        costs = [page["layers"][layer] for layer in LAYERS]
        numbers = [f"{cost:.1f}" for cost in [*costs, sum(costs), page["baseline_milliseconds"]]]
        rows.append((name, str(page["statements"]), *numbers))
    return rows


def plot(result: dict[str, Any], folder: Path) -> None:
    """Plot the milliseconds of CPU per request, by layer."""
    pages = result["pages"]
    left = [0.0] * len(pages)
    with plots.figure(
        folder / "pages.svg",
        title="Cost of pages by layer",
        x="ms of CPU per request",
        y="",
        scale=None,
    ) as axes:
        for layer in LAYERS:
            costs = [page["layers"][layer] for page in pages.values()]
            axes.barh(list(pages), costs, left=left, label=layer)
            left = [before + cost for before, cost in zip(left, costs, strict=True)]
        axes.scatter(
            [page["baseline_milliseconds"] for page in pages.values()],
            list(pages),
            color="black",
            marker="|",
            s=200,
            label="baseline view",
            zorder=3,
        )
        axes.invert_yaxis()


def _measure(database: str, requests: int, polls: int) -> dict[str, Any]:
    with Path(os.devnull).open("w") as devnull, production_stack(database) as stack:
        stack.start("broker", "site")
        cookie = _create_users(stack)
        paths = _paths(cookie)
        _redirect_logs(devnull)
        client = InProcessClient()
        pages: dict[str, dict[str, Any]] = {
            name: {"statements": len(_capture_statements(client, page))}
            for name, page in paths.items()
        }
        _write_baseline(stack, client, paths.values())
        for name, page in paths.items():
            pages[name] |= _measure_cpu(page, requests)
        baseline_url = _start_baseline(stack)
        for name, page in paths.items():
            pages[name] |= _measure_speed(stack.site_url, baseline_url, page, requests)
        return {"pages": pages, "poll": _measure_poll(client, cookie, polls)}


def _create_users(stack: Stack) -> str:
    """Create users with posts, follows and messages, and return the session cookie of one."""
    from django.utils import timezone

    from blog.models import User
    from dev.chaos import accounts

    created = accounts.create_accounts(
        [f"user{number}" for number in range(USERS)], stack.site_url, Random(1), POST_RANGE
    )
    User.objects.update(last_seen_at=timezone.now())
    return created[1].cookie


def _paths(cookie: str) -> dict[str, Page]:
    return {
        "sign-in": ("/accounts/login/", ""),
        "home": ("/", cookie),
        "explore": ("/explore/", cookie),
        "profile": ("/@user0/", cookie),
        "notifications": ("/notifications/all/", cookie),
    }


def _redirect_logs(file: TextIO) -> None:
    """Write the log lines of this process to `file`, as the site also writes them to a file."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(file)


class InProcessClient:
    """Client that calls the WSGI application in this process, without a network."""

    def __init__(self) -> None:
        from django.core.handlers.wsgi import WSGIHandler
        from django.test import RequestFactory

        self.application: Callable[..., Iterable[bytes]] = WSGIHandler()
        self.factory = RequestFactory(SERVER_NAME="127.0.0.1", HTTP_ACCEPT_LANGUAGE="en")
        self.environs: dict[Page, dict[str, Any]] = {}

    def get(self, path: str, cookie: str) -> bytes:
        environ = self.environs.get((path, cookie))
        if environ is None:
            environ = self.factory.get(path, HTTP_COOKIE=cookie).environ
            self.environs[path, cookie] = environ
        statuses: list[str] = []
        response = self.application(environ.copy(), lambda status, _: statuses.append(status))
        body = b"".join(response)
        if not statuses[0].startswith("200"):
            raise RuntimeError(f"{path}: {statuses[0]}")
        return body


def _capture_statements(client: InProcessClient, page: Page) -> list[str]:
    """Return the SQL of a page's second request; the first one also fills caches."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(*page)
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        client.get(*page)
    return [query["sql"] for query in queries]


def _write_baseline(stack: Stack, client: InProcessClient, pages: Iterable[Page]) -> None:
    content = {
        page[0]: {
            "statements": _capture_statements(client, page),
            "body": client.get(*page).decode(),
        }
        for page in pages
    }
    (stack.var / PAGES_FILE).write_text(json.dumps(content))


def _measure_cpu(page: Page, requests: int) -> dict[str, Any]:
    """Return this process's milliseconds of CPU per request, by layer and for the baseline.

    The figure of a layer does not include the layers that it calls.
    """
    from django.test import RequestFactory

    from .baseline import baseline_view

    path, _ = page
    seconds: dict[str, float] = dict.fromkeys(LAYERS, 0.0)
    with _measured_layers(seconds):
        client = InProcessClient()
        for _ in range(requests):
            client.get(*page)
    request = RequestFactory().get(path)
    return {
        "layers": {layer: 1000 * seconds[layer] / requests for layer in LAYERS},
        "baseline_milliseconds": _cpu_milliseconds(
            partial(baseline_view, request, path[1:]), requests
        ),
    }


@contextmanager
def _measured_layers(seconds: dict[str, float]) -> Iterator[None]:
    """Add CPU time to the innermost active layer, for applications created inside the block."""
    from django.core.handlers.base import BaseHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.db.backends.utils import CursorWrapper
    from django.template.backends.django import Template

    active: list[str] = []
    since = time.process_time()

    def charge() -> None:
        nonlocal since
        now = time.process_time()
        if active:
            seconds[active[-1]] += now - since
        since = now

    def measured(layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            charge()
            active.append(layer)
            try:
                return function(*args, **kwargs)
            finally:
                charge()
                active.pop()

        return wrapper

    entry_points = (
        ("middleware", WSGIHandler, "__call__"),
        ("view", BaseHandler, "_get_response"),
        ("template", Template, "render"),
        ("database", CursorWrapper, "execute"),
    )
    with ExitStack() as patches:
        for layer, owner, name in entry_points:
            wrapper = measured(layer, getattr(owner, name))
            patches.enter_context(patch.object(owner, name, wrapper))
        yield


def _start_baseline(stack: Stack) -> str:
    """Start a second gunicorn with the baseline views and return its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    env = stack.env | {"BENCH_BASELINE": "true", "SITE_URL": url}
    log = stack.log_dir / "baseline.log"
    stack.children["baseline"] = Child("baseline", commands(env)["site"], env, log)
    deadline = time.monotonic() + 30
    while True:
        try:
            PageLoadGenerator(url, [("/explore/", "")]).run_at_full_speed(1)
        except OSError:
            stack.check()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return url


def _measure_speed(site_url: str, baseline_url: str, page: Page, requests: int) -> dict[str, float]:
    """Measure site and baseline alternately at full speed; return the medians of the rounds."""
    site, baseline = PageLoadGenerator(site_url, [page]), PageLoadGenerator(baseline_url, [page])
    site.run_at_full_speed(WARM_UP_REQUESTS)
    rounds = [
        (site.run_at_full_speed(requests), baseline.run_at_full_speed(requests))
        for _ in range(ROUNDS)
    ]
    return {
        "rate": median(rate for (rate, _), _ in rounds),
        "p95": median(p95(seconds) for (_, seconds), _ in rounds),
        "baseline_rate": median(rate for _, (rate, _) in rounds),
        "baseline_p95": median(p95(seconds) for _, (_, seconds) in rounds),
    }


def _measure_poll(client: InProcessClient, cookie: str, polls: int) -> dict[str, Any]:
    """Measure a poll without news, and an empty view with authentication."""
    since = json.loads(client.get("/notifications/?since=", cookie))["since"]
    poll = (f"/notifications/?since={since[:10]}T23:59:59Z", cookie)
    empty = ("/empty/", cookie)
    statements = _capture_statements(client, poll)
    result: dict[str, Any] = {
        "queries": len(statements),
        "writes": sum(not statement.startswith("SELECT") for statement in statements),
        "empty_queries": len(_capture_statements(client, empty)),
    }
    rounds = [
        (
            _cpu_milliseconds(partial(client.get, *poll), polls),
            _cpu_milliseconds(partial(client.get, *empty), polls),
        )
        for _ in range(POLL_ROUNDS)
    ]
    median_round = sorted(rounds, key=lambda pair: pair[0] / pair[1])[POLL_ROUNDS // 2]
    return result | {"milliseconds": median_round[0], "empty_milliseconds": median_round[1]}


def _cpu_milliseconds(work: Callable[[], object], times: int) -> float:
    """Return this process's milliseconds of CPU per call of `work`."""
    start = time.process_time()
    for _ in range(times):
        work()
    return 1000 * (time.process_time() - start) / times


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument(
        "--requests",
        type=int,
        default=REQUESTS,
        help="requests per page and round (default: %(default)s)",
    )
    parser.add_argument(
        "--polls", type=int, default=POLLS, help="polls per round (default: %(default)s)"
    )
    parser.add_argument("--database", choices=DATABASES, default="postgres")
    parser.add_argument(
        "--measure", action="store_true", help="measure in this process and print JSON"
    )
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.database, options.requests, options.polls)))
        return
    result = run(options.requests, options.polls, options.database)
    for goal in goals(result):
        print(goal)
    for row in table(result):
        print("".join(cell.rjust(14) for cell in row))


if __name__ == "__main__":
    main()
