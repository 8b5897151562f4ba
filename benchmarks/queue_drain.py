"""Many people who ask for their posts at once: how fast two workers mail them all, and how the site feels meanwhile.

The limit is a forking worker whose jobs only send the same mail. `python -m benchmarks.queue_drain` runs it; with
`--measure` it is the process that is measured.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import redis
from rq import Queue

from dev.stack import Child, Stack, manage

from . import plain_jobs, plots
from .goals import Goal
from .site import DATABASES, Page, Visitors, in_process, p95, production

if TYPE_CHECKING:
    from blog.models import User

PEOPLE = 1000
BESIDE = 200  # of them, while the site is visited
POSTS = 20
WORKERS = 2
RATE = 20  # requests a second
IDLE_SECONDS = 15
SHARE = 0.6
SLOWDOWN = 4
DRAWN = 200  # points of a curve


def run(
    people: int = PEOPLE, databases: tuple[str, ...] = ("postgres",), seconds: float = IDLE_SECONDS
) -> dict[str, Any]:
    """Mails a second and seconds of pages, by database; for so many `seconds` the site is visited without exports."""
    result: dict[str, Any] = {
        "people": people,
        "posts": POSTS,
        "workers": WORKERS,
        "requests_a_second": RATE,
    }
    for name in databases:
        print(f"queue drain: {people:,} people on {DATABASES[name]} ...", file=sys.stderr)
        arguments = (
            "--measure",
            f"--database={name}",
            f"--people={people}",
            f"--seconds={seconds}",
        )
        result[name] = json.loads(in_process("benchmarks.queue_drain", *arguments))
    return result


def goals(result: dict[str, Any]) -> list[Goal]:
    return [goal for name in DATABASES if name in result for goal in _goals_on(name, result)]


def _goals_on(name: str, result: dict[str, Any]) -> Iterator[Goal]:
    figures, crowd = result[name], f"{result['people']:,} people at once, {DATABASES[name]}"
    ours, plain = figures["alone"], figures["plain"]
    yield Goal(
        6,
        f"small exports, {crowd}",
        f"{ours:.1f} a second, {ours / plain:.2f} of it",
        f"{plain:.1f} mails a second",
        f"at least {SHARE}",
        ours >= SHARE * plain,
    )
    idle, busy = figures["idle_p95"], figures["busy_p95"]
    yield Goal(
        6,
        f"the site meanwhile at {RATE} requests a second, p95; {figures['beside']:.1f} exports a second",
        f"{1000 * busy:.0f} ms, {busy / idle:.1f}x",
        f"{1000 * idle:.0f} ms without exports",
        f"at most {SLOWDOWN}x",
        busy <= SLOWDOWN * idle,
    )


def plot(result: dict[str, Any], folder: Path) -> None:
    """Mails that are out, against time."""
    for name in filter(result.__contains__, DATABASES):
        title = f"{WORKERS} workers, {POSTS} posts each, {DATABASES[name]}"
        with plots.figure(
            folder / f"queue-{name}.svg", title, "seconds", "mails", scale="linear"
        ) as axes:
            for label, key in (
                ("mails only", "plain"),
                ("exports", "alone"),
                ("exports beside the site", "beside"),
            ):
                arrivals = result[name]["arrivals"][key]
                drawn = range(0, len(arrivals), 1 + len(arrivals) // DRAWN)
                axes.plot([arrivals[n] for n in drawn], [n + 1 for n in drawn], label=label)


def _measure(database: str, people: int, idle_seconds: float) -> dict[str, Any]:
    with production(database) as stack:
        stack.start("broker", "mail")
        owners = _crowd(people)
        with _workers(stack, "first"):  # whose mail is the model of the plain ones
            _ask(owners[:1])
            _keep_model(stack)
        plain, rest = owners[: people // 2], owners[people // 2 :]
        arrivals = {"plain": _drain_plain(stack, plain), "alone": _drain(stack, owners)}
        again = _drain_plain(stack, rest)
        rates = {
            "plain": (people - 2) / (arrivals["plain"][-1] + again[-1]),
            "alone": _rate(arrivals["alone"]),
        }
        stack.start("site", "sweeper")
        visitors = Visitors(stack.site_url, _pages())
        visitors.at_rate(
            RATE, lambda seconds: seconds < idle_seconds / 5
        )  # until all that is loaded late is there
        idle = visitors.at_rate(RATE, lambda seconds: seconds < idle_seconds)
        busy: list[float] = []
        arrivals["beside"] = _drain(
            stack, owners[:BESIDE], niceness=10, visitors=visitors, seconds=busy
        )
        rates["beside"] = _rate(arrivals["beside"])
        return rates | {
            "idle_p95": p95(idle),
            "busy_p95": p95(busy),
            "pages": len(busy),
            "arrivals": arrivals,
        }


def _crowd(people: int) -> list["User"]:
    from allauth.account.models import EmailAddress

    from blog.management import demo_data as demo
    from blog.models import Post, User

    names = [f"person{number}" for number in range(people)]
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
    """Home, explore and a profile, of some people who are signed in."""
    from django.conf import settings

    from dev.chaos import accounts

    names = [f"visitor{number}" for number in range(5)]
    visitors = accounts.make(names, "", Random(1), (POSTS, POSTS))
    return [
        (
            path,
            f"{settings.SESSION_COOKIE_NAME}={one.person.session.cookies[settings.SESSION_COOKIE_NAME]}",
        )
        for one in visitors
        for path in ("/", "/explore/", f"/@{one.user.username}/")
    ]


def _ask(owners: list["User"]) -> None:
    """Each asks for their posts, as the button does."""
    from exports.jobs import enqueue_export
    from exports.models import ExportTask

    for owner in owners:
        task, _ = ExportTask.objects.request(owner.pk, rows_total=POSTS)
        enqueue_export(task)


def _keep_model(stack: Stack) -> None:
    mail = stack.mailbox.wait("@example.com").message
    texts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    bodies = {part.get_content_subtype(): part.get_content() for part in texts}
    [attached] = mail.iter_attachments()
    headers = {name: mail[name] for name in ("Message-ID", "Auto-Submitted")}
    model = {
        "subject": mail["subject"],
        "text": bodies["plain"],
        "html": bodies["html"],
        "headers": headers,
    }
    posts = attached.get_content().decode()
    (stack.var / plain_jobs.MODEL).write_text(json.dumps(model | {"posts": posts}))
    _clear(stack)


def _drain(
    stack: Stack,
    owners: list["User"],
    niceness: int = 0,
    visitors: Visitors | None = None,
    seconds: list[float] | None = None,
) -> list[float]:
    """Everybody asks, then workers begin: seconds from the first mail to each; `seconds` takes the pages' meanwhile."""
    _ask(owners)
    is_going_on = partial(_is_going_on, stack, len(owners))
    with _workers(stack, "worker", niceness):
        if visitors is None or seconds is None:
            _await(is_going_on)
        else:
            seconds += visitors.at_rate(RATE, lambda _: is_going_on())
        _await_sent()
    return _arrivals(stack)


def _drain_plain(stack: Stack, owners: list["User"]) -> list[float]:
    """The same with mails alone, through a database of the broker of their own."""
    url = f"{stack.env['REDIS_URL']}?db=2"
    with redis.Redis.from_url(url) as broker:
        queue = Queue(connection=broker, serializer="rq.serializers.JSONSerializer")
        for owner in owners:
            queue.enqueue(plain_jobs.send, owner.email)
    options = ("--worker-class=rq.Worker", "--serializer=rq.serializers.JSONSerializer")
    with _workers(stack, "plain", options=options, REDIS_URL=url):
        _await(partial(_is_going_on, stack, len(owners)))
    return _arrivals(stack)


@contextmanager
def _workers(
    stack: Stack, name: str, niceness: int = 0, options: tuple[str, ...] = (), **changes: str
) -> Iterator[None]:
    env: Mapping[str, str] = stack.env | changes
    command = ["nice", "-n", str(niceness), *manage("rqworker", *options)]
    names = [f"{name}{number}" for number in range(WORKERS)]
    for each in names:
        child = stack.children[each] = Child(each, command, env, stack.log_dir / f"{each}.log")
        group = Path(f"/proc/{child.pid}/autogroup")
        if niceness and group.exists():  # where it is used, niceness counts within a session only
            group.write_text(str(niceness))
    try:
        yield
    finally:
        stack.stop(*names)


def _is_going_on(stack: Stack, expected: int) -> bool:
    stack.check()
    return sum(1 for _ in stack.mailbox.folder.glob("*.eml")) < expected


def _await(is_going_on: partial[bool]) -> None:
    while is_going_on():
        time.sleep(
            0.2
        )  # files alone tell of the mails; to look at them more often takes time from the workers


def _await_sent() -> None:
    from exports.models import ExportMail, MailStatus

    while ExportMail.objects.exclude(status=MailStatus.SENT).exists():
        time.sleep(0.05)  # rows alone tell of it: nothing wakes another process


def _arrivals(stack: Stack) -> list[float]:
    """Seconds from the first mail to each, by the mail server's clock; the mailbox is empty afterwards."""
    moments = sorted(
        int(path.name.partition("-")[0]) for path in stack.mailbox.folder.glob("*.eml")
    )
    _clear(stack)
    return [(moment - moments[0]) / 1e9 for moment in moments]


def _clear(stack: Stack) -> None:
    for path in stack.mailbox.folder.glob("*.eml"):
        path.unlink()


def _rate(arrivals: list[float]) -> float:
    return (len(arrivals) - 1) / arrivals[-1]


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.queue_drain", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"who ask at once ({PEOPLE})")
    parser.add_argument("--database", choices=DATABASES, default="postgres")
    parser.add_argument(
        "--seconds", type=float, default=IDLE_SECONDS, help=f"of visits only ({IDLE_SECONDS})"
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
