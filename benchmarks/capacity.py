"""`python -m benchmarks.capacity`: what each part costs, on a whole stack of real processes; see docs/scaling.md."""

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import psutil
import redis

from dev.chaos.__main__ import set_up_django
from dev.chaos.databases import Postgres, SQLite
from dev.stack import Child, Stack, session_members

if TYPE_CHECKING:
    from dev.chaos.accounts import Account


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--people", type=int, default=60, help="who export at once (60)")
    parser.add_argument("--posts", type=int, default=200, help="posts of each of them (200)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="microblog-capacity-") as folder:
        var = Path(folder)
        database = (Postgres if options.database == Postgres.name else SQLite).make(var)
        try:
            set_up_django(var, database.url)
            for what, value in measured(var, database.url, options.people, options.posts):
                print(f"{what:<56}{value:>10}", flush=True)
        finally:
            database.stop()


def measured(var: Path, database_url: str, people: int, posts: int) -> Iterator[tuple[str, str]]:
    # Models cannot be imported before Django is set up.
    from django.conf import settings

    changes = {
        "SECRET_KEY": settings.SECRET_KEY,
        "EXPORT_COOLDOWN": "0",
        "RATE_LIMITS": "false",
        "STATIC_COLLECTED": "false",
    }
    with Stack(var, DATABASE_URL=database_url, DEBUG="false", **changes) as stack:
        stack.run("migrate", "--verbosity", "0")
        stack.start("broker", "mail", "sweeper", "site")
        accounts = crowd(stack, people, posts)
        with spent(stack, "site", "broker") as page:
            for account in accounts * 3:
                account.person.get("/")
        yield from told("a home page, signed in", page, len(accounts) * 3)
        yield "a queued job in the broker, bytes", f"{job_bytes(stack, accounts):,.0f}"
        stack.start("worker")
        with spent(stack, "worker", "broker", "sweeper") as export:
            await_mails(len(accounts))
        yield from told(f"an export of {posts} posts", export, len(accounts))
        for name in ("site", "worker", "sweeper", "broker"):
            yield f"memory of the {name}, MB", f"{memory(stack.children[name]) / 1e6:.0f}"


def told(what: str, seconds: dict[str, float], number: int) -> Iterator[tuple[str, str]]:
    for name, value in seconds.items():
        yield f"{what}: {name}, ms of a processor", f"{value / number * 1000:.1f}"


@contextmanager
def spent(stack: Stack, *names: str) -> Iterator[dict[str, float]]:
    """The processor's seconds that those processes use meanwhile: other work on the machine hardly changes them."""
    before = {name: processor_seconds(stack.children[name]) for name in names}
    result: dict[str, float] = {}
    yield result
    result |= {name: processor_seconds(stack.children[name]) - before[name] for name in names}


def processor_seconds(child: Child) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in session_members(child.pid)]
    return float(
        sum(each.user + each.system + each.children_user + each.children_system for each in times)
    )


def crowd(stack: Stack, people: int, posts: int) -> list["Account"]:
    from dev.chaos import accounts

    names = [f"person{number}" for number in range(people)]
    return accounts.make(names, stack.site_url, Random(1), (posts, posts))


def await_mails(number: int) -> None:
    from exports.models import ExportMail, MailStatus

    while ExportMail.objects.filter(status=MailStatus.SENT).count() < number:
        time.sleep(0.2)  # rows alone tell of it: nothing wakes another process


def job_bytes(stack: Stack, accounts: list["Account"]) -> float:
    """What one job that waits takes in the broker."""
    with redis.Redis.from_url(stack.env["REDIS_URL"]) as broker:
        before = broker.info("memory")["used_memory"]
        for account in accounts:
            account.request_export()
        return float((broker.info("memory")["used_memory"] - before) / len(accounts))


def memory(child: Child) -> int:
    """Bytes that a process and those that it started do not share with others, and their part of what they do."""
    return int(
        sum(psutil.Process(pid).memory_full_info().pss for pid in session_members(child.pid))
    )


if __name__ == "__main__":
    main()
