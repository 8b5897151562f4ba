"""Goal 6: rate at which two workers deliver many small exports, and page latency meanwhile.

The upper limit is a forking worker whose jobs only send the same mail. `python -m
benchmarks.queue_drain` runs it; with `--measure` it is the measured process.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import redis
from rq import Queue

from dev.stack import Child, Stack, manage

from . import mail_job, plots
from .report import Goal
from .site import DATABASES, Page, PageLoadGenerator, p95, production_stack, run_module

if TYPE_CHECKING:
    from blog.models import User

PEOPLE = 1000
PEOPLE_UNDER_LOAD = 200  # export while pages are requested
POSTS = 20
VISITORS = 5
WORKERS = 2
REQUEST_RATE = 20  # pages per second
IDLE_SECONDS = 15
MIN_RATIO = 0.6
MAX_SLOWDOWN = 4
NICENESS_UNDER_LOAD = 10
MAX_PLOT_POINTS = 200  # per curve
SERIALIZER = "rq.serializers.JSONSerializer"


def run(
    people: int = PEOPLE, databases: tuple[str, ...] = ("postgres",), seconds: float = IDLE_SECONDS
) -> dict[str, Any]:
    """Return mails per second and page latencies in seconds, by database.

    The latency without exports is measured for `seconds`.
    """
    result: dict[str, Any] = {
        "people": people,
        "posts": POSTS,
        "workers": WORKERS,
        "requests_per_second": REQUEST_RATE,
    }
    for name in databases:
        print(f"queue drain: {people:,} exports on {DATABASES[name]} ...", file=sys.stderr)
        options = (f"--database={name}", f"--people={people}", f"--seconds={seconds}")
        output = run_module("benchmarks.queue_drain", "--measure", *options)
        result[name] = json.loads(output)
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return [goal for name in DATABASES if name in result for goal in _goals_on(name, result)]


def _goals_on(name: str, result: dict[str, Any]) -> Iterator[Goal]:
    rates = result[name]
    exports, mails = rates["exports"], rates["mails"]
    yield Goal(
        number=6,
        title=f"{result['people']:,} small exports at once, {DATABASES[name]}",
        result=f"{exports / mails:.2f} ({exports:.1f} per second)",
        baseline=f"mails only: {mails:.1f} per second",
        target=f"at least {MIN_RATIO}",
        is_met=exports >= MIN_RATIO * mails,
    )
    idle, busy = rates["idle_p95"], rates["busy_p95"]
    yield Goal(
        number=6,
        title=f"Page latency (p95) at {REQUEST_RATE} requests per second during exports",
        result=f"{busy / idle:.1f}x ({1000 * busy:.0f} ms), "
        f"{rates['exports_under_load']:.1f} exports per second",
        baseline=f"without exports: {1000 * idle:.0f} ms",
        target=f"at most {MAX_SLOWDOWN}x",
        is_met=busy <= MAX_SLOWDOWN * idle,
    )


def plot(result: dict[str, Any], folder: Path) -> None:
    """Plot the number of sent mails over time."""
    for name in filter(result.__contains__, DATABASES):
        with plots.figure(
            folder / f"queue-{name}.svg",
            title=f"{WORKERS} workers, {POSTS} posts each, {DATABASES[name]}",
            x="seconds",
            y="mails",
            scale="linear",
        ) as axes:
            for label, key in (
                ("mails only", "mails"),
                ("exports", "exports"),
                ("exports during page requests", "exports_under_load"),
            ):
                arrivals = result[name]["arrivals"][key]
                points = range(0, len(arrivals), 1 + len(arrivals) // MAX_PLOT_POINTS)
                axes.plot([arrivals[n] for n in points], [n + 1 for n in points], label=label)


def _measure(database: str, people: int, idle_seconds: float) -> dict[str, Any]:
    with production_stack(database) as stack:
        stack.start("broker", "mail")
        owners = _create_owners(people)
        with _running_workers(stack, "first"):
            _request_exports(owners[:1])
            _write_mail_template(stack)
        first_half, second_half = owners[: people // 2], owners[people // 2 :]
        # The mails are sent before and after the exports, to even out changes of the machine.
        arrivals = {
            "mails": _drain_mails(stack, first_half),
            "exports": _drain_exports(stack, owners),
        }
        mails_after = _drain_mails(stack, second_half)
        rates = {
            "mails": (people - 2) / (arrivals["mails"][-1] + mails_after[-1]),
            "exports": _rate(arrivals["exports"]),
        }
        stack.start("site", "sweeper")
        load = PageLoadGenerator(stack.site_url, _pages())
        load.run_at_rate(REQUEST_RATE, lambda elapsed: elapsed < idle_seconds / 5)  # warm up
        idle = load.run_at_rate(REQUEST_RATE, lambda elapsed: elapsed < idle_seconds)
        busy: list[float] = []

        def request_pages(is_draining: Callable[[], bool]) -> None:
            busy.extend(load.run_at_rate(REQUEST_RATE, lambda _: is_draining()))

        arrivals["exports_under_load"] = _drain_exports(
            stack, owners[:PEOPLE_UNDER_LOAD], NICENESS_UNDER_LOAD, request_pages
        )
        rates["exports_under_load"] = _rate(arrivals["exports_under_load"])
        return rates | {
            "idle_p95": p95(idle),
            "busy_p95": p95(busy),
            "pages": len(busy),
            "arrivals": arrivals,
        }


def _create_owners(count: int) -> list["User"]:
    from allauth.account.models import EmailAddress

    from blog.management import demo_data as demo
    from blog.models import Post, User

    names = [f"user{number}" for number in range(count)]
    User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
    owners = list(User.objects.order_by("pk"))
    EmailAddress.objects.bulk_create(
        EmailAddress(user=owner, email=owner.email, verified=True, primary=True) for owner in owners
    )
    for owner in owners:
        texts = demo.generate_posts(owner.username, POSTS, seed=1)
        Post.objects.bulk_create(
            Post(author=owner, body=text.body, created_at=text.created_at) for text in texts
        )
    return owners


def _pages() -> list[Page]:
    """Create signed-in visitors and return their home, explore and profile pages."""
    from dev.chaos import accounts

    names = [f"visitor{number}" for number in range(VISITORS)]
    visitors = accounts.create_accounts(names, "", Random(1), (POSTS, POSTS))
    return [
        (path, visitor.cookie)
        for visitor in visitors
        for path in ("/", "/explore/", f"/@{visitor.user.username}/")
    ]


def _request_exports(owners: list["User"]) -> None:
    from exports.models import ExportTask
    from tasks.jobs import enqueue_task

    for owner in owners:
        task, _ = ExportTask.objects.request(owner, rows_total=POSTS)
        enqueue_task(task)


def _write_mail_template(stack: Stack) -> None:
    """Wait for the mail of the first export, and save it as the template of `mail_job`."""
    mail = stack.mailbox.wait("@example.com").message
    texts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    bodies = {part.get_content_subtype(): part.get_content() for part in texts}
    [attachment] = mail.iter_attachments()
    template = {
        "subject": mail["subject"],
        "text": bodies["plain"],
        "html": bodies["html"],
        "headers": {name: mail[name] for name in ("Message-ID", "Auto-Submitted")},
        "posts": attachment.get_content().decode(),
    }
    (stack.var / mail_job.TEMPLATE_FILE).write_text(json.dumps(template))
    _empty_mailbox(stack)


def _wait_while(condition: Callable[[], bool]) -> None:
    while condition():
        # Poll the mail files. More frequent polls would take CPU from the workers.
        time.sleep(0.2)


def _drain_exports(
    stack: Stack,
    owners: list["User"],
    niceness: int = 0,
    wait: Callable[[Callable[[], bool]], None] = _wait_while,
) -> list[float]:
    """Request all exports, then start workers and `wait(is_draining)` until all mails are sent.

    Return the seconds from the first mail to each mail.
    """
    _request_exports(owners)
    with _running_workers(stack, "worker", niceness):
        wait(partial(_is_draining, stack, len(owners)))
        _wait_until_recorded()
    return _take_arrivals(stack)


def _drain_mails(stack: Stack, owners: list["User"]) -> list[float]:
    """Send the mails alone, through a separate database of the broker."""
    url = f"{stack.env['REDIS_URL']}?db=2"
    with redis.Redis.from_url(url) as broker:
        queue = Queue(connection=broker, serializer=SERIALIZER)
        for owner in owners:
            queue.enqueue(mail_job.send, owner.email)
    options = ("--worker-class=rq.Worker", f"--serializer={SERIALIZER}")
    with _running_workers(stack, "mail-worker", options=options, REDIS_URL=url):
        _wait_while(partial(_is_draining, stack, len(owners)))
    return _take_arrivals(stack)


@contextmanager
def _running_workers(
    stack: Stack, name: str, niceness: int = 0, options: tuple[str, ...] = (), **variables: str
) -> Iterator[None]:
    env: Mapping[str, str] = stack.env | variables
    command = ["nice", "-n", str(niceness), *manage("rqworker", *options)]
    names = [f"{name}{number}" for number in range(WORKERS)]
    for worker in names:
        log = stack.log_dir / f"{worker}.log"
        child = stack.children[worker] = Child(worker, command, env, log)
        autogroup = Path(f"/proc/{child.pid}/autogroup")
        if niceness and autogroup.exists():
            # With autogroups, `nice` only compares processes of the same session.
            autogroup.write_text(str(niceness))
    try:
        yield
    finally:
        stack.stop(*names)


def _is_draining(stack: Stack, expected: int) -> bool:
    stack.check()
    return sum(1 for _ in stack.mailbox.folder.glob("*.eml")) < expected


def _wait_until_recorded() -> None:
    """Wait until the workers have recorded all mails as sent."""
    from exports.models import ExportMail, MailStatus

    while ExportMail.objects.exclude(status=MailStatus.SENT).exists():
        time.sleep(0.05)


def _take_arrivals(stack: Stack) -> list[float]:
    """Return the seconds from the first mail to each, by file name, and empty the mailbox."""
    times = sorted(int(path.name.partition("-")[0]) for path in stack.mailbox.folder.glob("*.eml"))
    _empty_mailbox(stack)
    return [(time_ns - times[0]) / 1e9 for time_ns in times]


def _empty_mailbox(stack: Stack) -> None:
    for path in stack.mailbox.folder.glob("*.eml"):
        path.unlink()


def _rate(arrivals: list[float]) -> float:
    """Return the mails per second."""
    return (len(arrivals) - 1) / arrivals[-1]


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.queue_drain", description=__doc__)
    parser.add_argument(
        "--people",
        type=int,
        default=PEOPLE,
        help="number of users who export at once (default: %(default)s)",
    )
    parser.add_argument("--database", choices=DATABASES, default="postgres")
    parser.add_argument(
        "--seconds",
        type=float,
        default=IDLE_SECONDS,
        help="duration of the page requests without exports (default: %(default)s)",
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure in this process and print JSON"
    )
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.database, options.people, options.seconds)))
        return
    for goal in goals(run(options.people, (options.database,), options.seconds)):
        print(goal)


if __name__ == "__main__":
    main()
