"""The site's pages under gunicorn, beside plain views with the same statements; what each layer costs, and a poll.

`python -m benchmarks.pages` runs it; with `--measure` it is the process that is measured.
"""

import json
import logging
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, TextIO
from unittest.mock import patch

from dev.stack import Child, Stack, commands, free_port

from . import plots
from .floor import PAGES
from .goals import Goal
from .site import DATABASES, Visitors, in_process, p95, production

REQUESTS = 60  # of each page, in each of ROUNDS
ROUNDS = 5
POLLS = 200  # in each of POLL_ROUNDS
POLL_ROUNDS = 7
PEOPLE = 12
POSTS = (150, 450)
MOST_QUERIES = 3
MOST_CPU = 2.0
LAYERS = ("middleware", "view", "template", "database")


def run(requests: int = REQUESTS, polls: int = POLLS, database: str = "postgres") -> dict[str, Any]:
    """By page: requests a second and p95 in seconds, ours and the floor's, and each layer's milliseconds of CPU."""
    print(f"pages: {requests} requests of each, {ROUNDS} times ...", file=sys.stderr)
    arguments = (f"--requests={requests}", f"--polls={polls}", f"--database={database}")
    result: dict[str, Any] = json.loads(in_process("benchmarks.pages", "--measure", *arguments))
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return list(_poll_goals(result["poll"]))


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Each page under gunicorn, and the plain view with the same statements; how many times as many that answers."""
    return [
        (
            f"page: {name}",
            f"{page['rate']:.0f} a second, p95 {1000 * page['p95']:.0f} ms",
            f"plain view: {page['floor_rate']:.0f} a second, p95 {1000 * page['floor_p95']:.0f} ms",
            f"{page['floor_rate'] / page['rate']:.1f}",
        )
        for name, page in result["pages"].items()
    ]


def _poll_goals(poll: dict[str, Any]) -> Iterator[Goal]:
    queries, writes = poll["queries"], poll["writes"]
    yield Goal(
        7,
        "one poll: queries",
        f"{queries}, {writes} of them writes",
        f"{poll['empty_queries']} of an empty signed-in view",
        f"at most {MOST_QUERIES}, no write",
        queries <= MOST_QUERIES and not writes,
    )
    ratio = poll["milliseconds"] / poll["empty_milliseconds"]
    yield Goal(
        7,
        "one poll: CPU",
        f"{poll['milliseconds']:.2f} ms, {ratio:.2f}x",
        f"{poll['empty_milliseconds']:.2f} ms of an empty signed-in view",
        f"at most {MOST_CPU:g}x",
        ratio <= MOST_CPU,
    )


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A table, with its headings, of milliseconds of CPU a request."""
    rows: list[tuple[str, ...]] = [("page", "statements", *LAYERS, "in all", "floor")]
    for name, page in result["pages"].items():
        costs = [page["layers"][layer] for layer in LAYERS]
        numbers = [f"{cost:.1f}" for cost in [*costs, sum(costs), page["floor_milliseconds"]]]
        rows.append((name, str(page["statements"]), *numbers))
    return rows


def plot(result: dict[str, Any], folder: Path) -> None:
    """Milliseconds of CPU a request, by layer."""
    pages = result["pages"]
    left = [0.0] * len(pages)
    with plots.figure(
        folder / "pages.svg", "Pages, by layer", "ms of CPU a request", "", scale=None
    ) as axes:
        for layer in LAYERS:
            costs = [page["layers"][layer] for page in pages.values()]
            axes.barh(list(pages), costs, left=left, label=layer)
            left = [before + cost for before, cost in zip(left, costs, strict=True)]
        floors = [page["floor_milliseconds"] for page in pages.values()]
        axes.scatter(
            floors, list(pages), color="black", marker="|", s=200, label="plain view", zorder=3
        )
        axes.invert_yaxis()


def _measure(database: str, requests: int, polls: int) -> dict[str, Any]:
    with Path(os.devnull).open("w") as nowhere, production(database) as stack:
        stack.start("broker", "site")
        cookie = _people(stack)
        paths = _paths(cookie)
        _log_to(nowhere)
        client = Caller()
        pages: dict[str, dict[str, Any]] = {
            name: {"statements": len(_kept(client, path, cookie_))}
            for name, (path, cookie_) in paths.items()
        }
        _keep_floor(stack, client, paths)
        for name, (path, own) in paths.items():
            pages[name] |= _costs(path, own, requests)
        floor = _start_floor(stack)
        for name, page in paths.items():
            pages[name] |= _speeds(stack.site_url, floor, page, requests)
        return {"pages": pages, "poll": _poll(client, cookie, polls)}


def _people(stack: Stack) -> str:
    """The cookie of one of some people who write, follow, and write to one another."""
    from django.conf import settings
    from django.utils import timezone

    from blog.models import User
    from dev.chaos import accounts

    people = accounts.make(
        [f"person{number}" for number in range(PEOPLE)], stack.site_url, Random(1), POSTS
    )
    User.objects.update(last_seen_at=timezone.now())
    return f"{settings.SESSION_COOKIE_NAME}={people[1].person.session.cookies[settings.SESSION_COOKIE_NAME]}"


def _paths(cookie: str) -> dict[str, tuple[str, str]]:
    return {
        "sign-in": ("/accounts/login/", ""),
        "home": ("/", cookie),
        "explore": ("/explore/", cookie),
        "profile": ("/@person0/", cookie),
        "notifications": ("/notifications/all/", cookie),
    }


def _log_to(file: TextIO) -> None:
    """Let this process write its lines there, as the site writes its own."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(file)


class Caller:
    """Calls the site in this process, without a network."""

    def __init__(self) -> None:
        from django.core.handlers.wsgi import WSGIHandler
        from django.test import RequestFactory

        self.application: Callable[..., Iterable[bytes]] = WSGIHandler()
        self.factory = RequestFactory(SERVER_NAME="127.0.0.1", HTTP_ACCEPT_LANGUAGE="en")
        self.environs: dict[tuple[str, str], dict[str, Any]] = {}

    def get(self, path: str, cookie: str) -> bytes:
        environ = self.environs.get((path, cookie))
        if environ is None:
            environ = self.environs[path, cookie] = self.factory.get(
                path, HTTP_COOKIE=cookie
            ).environ
        statuses: list[str] = []
        answer = self.application(environ.copy(), lambda status, _: statuses.append(status))
        body = b"".join(answer)
        if not statuses[0].startswith("200"):
            raise RuntimeError(f"{path} was answered with {statuses[0]}.")
        return body


def _kept(client: Caller, path: str, cookie: str) -> list[str]:
    """The statements of a page, as the database gets them; not those of the first time."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(path, cookie)
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        client.get(path, cookie)
    return [query["sql"] for query in queries]


def _keep_floor(stack: Stack, client: Caller, paths: dict[str, tuple[str, str]]) -> None:
    pages = {
        path: {"statements": _kept(client, path, cookie), "body": client.get(path, cookie).decode()}
        for path, cookie in paths.values()
    }
    (stack.var / PAGES).write_text(json.dumps(pages))


def _costs(path: str, cookie: str, requests: int) -> dict[str, Any]:
    """Milliseconds of this process's CPU a request: of each layer without those in it, and of the plain view."""
    from django.test import RequestFactory

    from .floor import plain

    spent: dict[str, float] = dict.fromkeys(LAYERS, 0.0)
    with _timed(spent):
        client = Caller()
        for _ in range(requests):
            client.get(path, cookie)
    plain_request = RequestFactory().get(path)
    floor = _cpu(lambda: plain(plain_request, path[1:]), requests)
    return {
        "layers": {layer: 1000 * spent[layer] / requests for layer in LAYERS},
        "floor_milliseconds": floor,
    }


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Charge CPU to the innermost layer that is at work, for sites that are loaded inside."""
    from django.core.handlers.base import BaseHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.db.backends.utils import CursorWrapper
    from django.template.backends.django import Template

    stack: list[str] = []
    since = time.process_time()

    def charge() -> None:
        nonlocal since
        now = time.process_time()
        if stack:
            spent[stack[-1]] += now - since
        since = now

    def layer(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            charge()
            stack.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                charge()
                stack.pop()

        return timed

    places = (
        ("middleware", WSGIHandler, "__call__"),
        ("view", BaseHandler, "_get_response"),
        ("template", Template, "render"),
        ("database", CursorWrapper, "execute"),
    )
    with ExitStack() as patches:
        for name, place, attribute in places:
            patches.enter_context(
                patch.object(place, attribute, layer(name, getattr(place, attribute)))
            )
        yield


def _start_floor(stack: Stack) -> str:
    """The address of another gunicorn like the site's, with the plain views."""
    url = f"http://127.0.0.1:{free_port()}"
    env = stack.env | {"BENCH_FLOOR": "true", "SITE_URL": url}
    stack.children["floor"] = Child(
        "floor", commands(env)["site"], env, stack.log_dir / "floor.log"
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            Visitors(url, [("/explore/", "")]).as_fast_as_possible(1)
        except OSError:
            stack.check()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)  # nothing wakes us when gunicorn listens
        else:
            return url


def _speeds(site: str, floor: str, page: tuple[str, str], requests: int) -> dict[str, float]:
    """Of two visitors without a pause, ours and the floor in turns; medians of the rounds."""
    ours, plain = Visitors(site, [page]), Visitors(floor, [page])
    ours.as_fast_as_possible(20)
    rounds = [
        (ours.as_fast_as_possible(requests), plain.as_fast_as_possible(requests))
        for _ in range(ROUNDS)
    ]
    return {
        "rate": median(rate for (rate, _), _ in rounds),
        "p95": median(p95(seconds) for (_, seconds), _ in rounds),
        "floor_rate": median(rate for _, (rate, _) in rounds),
        "floor_p95": median(p95(seconds) for _, (_, seconds) in rounds),
    }


def _poll(client: Caller, cookie: str, polls: int) -> dict[str, Any]:
    """A poll when there is nothing new, beside a view that does nothing for whoever is signed in."""
    since = json.loads(client.get("/notifications/?since=", cookie))["since"]
    moment = f"{since[:10]}T23:59:59Z"
    poll, empty = f"/notifications/?since={moment}", "/empty/"
    statements = _kept(client, poll, cookie)
    result: dict[str, Any] = {
        "queries": len(statements),
        "writes": sum(not statement.startswith("SELECT") for statement in statements),
        "empty_queries": len(_kept(client, empty, cookie)),
    }
    rounds = [
        (
            _cpu(lambda: client.get(poll, cookie), polls),
            _cpu(lambda: client.get(empty, cookie), polls),
        )
        for _ in range(POLL_ROUNDS)
    ]
    ratio = sorted(rounds, key=lambda pair: pair[0] / pair[1])[POLL_ROUNDS // 2]
    return result | {"milliseconds": ratio[0], "empty_milliseconds": ratio[1]}


def _cpu(work: Callable[[], object], times: int) -> float:
    """Milliseconds of this process's CPU that it takes once."""
    began = time.process_time()
    for _ in range(times):
        work()
    return 1000 * (time.process_time() - began) / times


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help=f"of each page in a round ({REQUESTS})"
    )
    parser.add_argument("--polls", type=int, default=POLLS, help=f"in a round ({POLLS})")
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
