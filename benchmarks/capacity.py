"""`python -m benchmarks.capacity`: CPU and memory of each process; see docs/scaling.md."""

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
    parser.add_argument(
        "--people",
        type=int,
        default=60,
        help="number of accounts that export (default: %(default)s)",
    )
    parser.add_argument(
        "--posts", type=int, default=200, help="posts per account (default: %(default)s)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="microblog-capacity-") as folder:
        var = Path(folder)
        database = (Postgres if options.database == Postgres.name else SQLite).create(var)
        try:
            set_up_django(var, database.url)
            rows = measure(var, database.url, people=options.people, posts=options.posts)
            for title, value in rows:
                print(f"{title:<56}{value:>10}", flush=True)
        finally:
            database.stop()


def measure(var: Path, database_url: str, *, people: int, posts: int) -> Iterator[tuple[str, str]]:
    # Settings can be used only after Django is set up.
    from django.conf import settings

    variables = {
        "SECRET_KEY": settings.SECRET_KEY,
        "EXPORT_COOLDOWN": "0",
        "RATE_LIMITS": "false",
        "STATIC_COLLECTED": "false",
    }
    with Stack(var, DATABASE_URL=database_url, DEBUG="false", **variables) as stack:
        stack.run("migrate", "--verbosity", "0")
        stack.start("broker", "mail", "sweeper", "site")
        accounts = create_accounts(stack, people, posts)
        with measured_cpu(stack, "site", "broker") as page:
            for account in accounts * 3:
                account.client.get("/")
        yield from cpu_rows("signed-in home page", page, len(accounts) * 3)
        yield "broker memory per queued job, bytes", f"{job_bytes(stack, accounts):,.0f}"
        stack.start("worker")
        with measured_cpu(stack, "worker", "broker", "sweeper") as export:
            wait_for_mails(len(accounts))
        yield from cpu_rows(f"export of {posts} posts", export, len(accounts))
        for name in ("site", "worker", "sweeper", "broker"):
            yield f"memory of the {name}, MB", f"{memory(stack.children[name]) / 1e6:.0f}"


def cpu_rows(title: str, seconds: dict[str, float], number: int) -> Iterator[tuple[str, str]]:
    for name, value in seconds.items():
        yield f"{title}: {name}, ms of CPU", f"{value / number * 1000:.1f}"


@contextmanager
def measured_cpu(stack: Stack, *names: str) -> Iterator[dict[str, float]]:
    """Measure the CPU seconds of these processes inside the block.

    CPU time hardly depends on other work on the machine. The dictionary is filled after the block.
    """
    before = {name: cpu_seconds(stack.children[name]) for name in names}
    result: dict[str, float] = {}
    yield result
    result |= {name: cpu_seconds(stack.children[name]) - before[name] for name in names}


def cpu_seconds(child: Child) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in session_members(child.pid)]
    return float(
        sum(time.user + time.system + time.children_user + time.children_system for time in times)
    )


def create_accounts(stack: Stack, people: int, posts: int) -> list["Account"]:
    from dev.chaos import accounts

    names = [f"user{number}" for number in range(people)]
    return accounts.create_accounts(names, stack.site_url, Random(1), (posts, posts))


def wait_for_mails(number: int) -> None:
    from exports.models import ExportMail, MailStatus

    while ExportMail.objects.filter(status=MailStatus.SENT).count() < number:
        time.sleep(0.2)  # poll: workers do not notify this process


def job_bytes(stack: Stack, accounts: list["Account"]) -> float:
    """Return the broker's memory per queued job."""
    with redis.Redis.from_url(stack.env["REDIS_URL"]) as broker:
        before = broker.info("memory")["used_memory"]
        for account in accounts:
            account.request_export()
        return float((broker.info("memory")["used_memory"] - before) / len(accounts))


def memory(child: Child) -> int:
    """Return the proportional set size (PSS) of a process and its descendants, in bytes."""
    return int(
        sum(psutil.Process(pid).memory_full_info().pss for pid in session_members(child.pid))
    )


if __name__ == "__main__":
    main()
