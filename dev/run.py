"""`make run`: the site with all its services, until Ctrl-C; reloads when code or templates change.

The shell and `.env` set the variables, as for `manage.py`, so that a worker or sweeper beside it
has the same database, broker and mail server.
"""

import errno
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.utils.text import get_text_list
from watchfiles import Change, watch

from dev import broker
from dev.stack import PROCESSES, ROOT, Stack, StackError, end_on_signals, signals_blocked

DEFAULT_PORT = 8000
MAX_PORT = 65_535
MAIL_PORTS = range(20_000, 30_000)  # below those that kernels give to outgoing connections
DEMO_USERNAMES = ("demo", "empty", "staff")
PASSWORD = "microblog-demo"

RELOADED = ("worker", "sweeper", "site")
SOURCE_SUFFIXES = {".py", ".html", ".txt", ".mo"}
NOT_SERVED = {"benchmarks", "bin", "deploy", "dev", "docs", "static", "staticfiles", "tests", "var"}
CHECK_INTERVAL_MILLISECONDS = 200
# Exit codes after Ctrl-C; a process that is still starting does not handle SIGTERM yet.
REGULAR_EXIT_CODES = (0, 128 + signal.SIGTERM)


class RunError(Exception):
    """Reason why the site cannot start, for the developer."""


def find_port_problem(port: int) -> str | None:
    """Return why no server can listen on that port of localhost, or None if one can."""
    # A server on the IPv6 address would not be in our way, but browsers try that address first.
    for address in ("::1", "127.0.0.1"):
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return "is taken by another program"
    try:
        with socket.create_server(("127.0.0.1", port)):
            return None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is taken by another program"
        return f"cannot be used ({error.strerror})"


def choose_port(site_url: str) -> int:
    """Return PORT, or the port of SITE_URL. Raises RunError if it cannot be used."""
    text = os.environ.get("PORT") or str(urlsplit(site_url).port or DEFAULT_PORT)
    if not (text.isdecimal() and 0 < int(text) <= MAX_PORT):
        raise RunError(f"PORT must be a number from 1 to {MAX_PORT}, and not {text}.")
    port = int(text)
    if problem := find_port_problem(port):
        raise RunError(f"Port {port} {problem}. Choose another one: make run PORT={port + 1}")
    return port


def set_mail_address() -> None:
    """Add EMAIL_URL to `.env`, unless a variable says already where mails go.

    A random port keeps two checkouts on one machine apart.
    """
    if "EMAIL_URL" in os.environ or "EMAIL_BACKEND" in os.environ:
        return
    port = secrets.choice(MAIL_PORTS)
    while find_port_problem(port):
        port = secrets.choice(MAIL_PORTS)
    os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{port}"
    path = ROOT / ".env"
    if path.exists():
        text = path.read_text()
        end_of_line = "" if text.endswith("\n") else "\n"
        path.write_text(f"{text}{end_of_line}EMAIL_URL={os.environ['EMAIL_URL']}\n")
        print("Added EMAIL_URL, the address of the local mail server, to .env.", flush=True)


def stack_variables() -> dict[str, str]:
    """Return what the shell and `.env` set, and of the rest what all processes must agree on."""
    port = choose_port(settings.SITE_URL)
    return os.environ | {
        "SECRET_KEY": settings.SECRET_KEY,
        "REDIS_URL": settings.REDIS_URL,
        "DEFAULT_FROM_EMAIL": settings.DEFAULT_FROM_EMAIL,
        "SITE_URL": f"http://localhost:{port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
    }


def process_names(stack: Stack) -> list[str]:
    """Return the processes to start: without a broker or mail server that runs elsewhere."""
    names = list(PROCESSES)
    if broker.socket_from_url(stack.env["REDIS_URL"]) is None:
        names.remove("broker")
    if not has_own_mail_server(stack):
        names.remove("mail")
    return names


def has_own_mail_server(stack: Stack) -> bool:
    address = urlsplit(stack.env["EMAIL_URL"])
    if not stack.env["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        return False
    if address.hostname not in ("localhost", "127.0.0.1") or not address.port:
        return False
    problem = find_port_problem(address.port)
    if problem and not stack.is_ready("mail"):
        raise RunError(f"Port {address.port} of EMAIL_URL {problem}. Set another one in .env.")
    return not problem


def mail_target(stack: Stack, names: list[str]) -> str:
    if "mail" in names:
        return f"are saved in {shorten(Path(stack.env['MAIL_DIR']))}"
    if stack.env["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        return f"go to {urlsplit(stack.env['EMAIL_URL']).netloc.rpartition('@')[2]}"
    return f"go to {stack.env['EMAIL_BACKEND']}"


def shorten(folder: Path) -> str:
    return f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}/"


def prepare_database() -> str:
    """Migrate the database, and add the demo data to a new one, all of it or nothing.

    Return the sentence about sign-ins.
    """
    from blog.models import User

    print("Preparing the database ...", flush=True)
    try:
        call_command("migrate", verbosity=0)
        if not User.objects.exists():
            with transaction.atomic():
                call_command("seed_demo", password=PASSWORD, stdout=StringIO())
        return sign_ins()
    except DatabaseError as error:
        raise RunError(f"The database could not be prepared: {error}") from error
    finally:
        connections.close_all()


def sign_ins() -> str:
    """Return a sentence with the demo users whose password is still the known one."""
    from blog.models import User

    usernames = [
        user.username
        for user in User.objects.filter(username__in=DEMO_USERNAMES).order_by("username")
        if user.check_password(PASSWORD)
    ]
    if not usernames:
        return ""
    return f" Sign in as {get_text_list(usernames)} (password: {PASSWORD})."


def source_folders() -> list[Path]:
    return [
        folder
        for folder in ROOT.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in NOT_SERVED
    ]


def is_source(change: Change, path: str) -> bool:
    """Return whether the servers read this file: editors also write hidden ones beside it."""
    file = Path(path).relative_to(ROOT)
    is_hidden = file.name.startswith(".")
    return file.suffix in SOURCE_SUFFIXES and not is_hidden and "tests" not in file.parts


@contextmanager
def watched_sources() -> Iterator[Iterator[set[tuple[Change, str]]]]:
    """Watch code and templates; the iterator yields changes, or regularly an empty set."""
    watcher = watch(
        *source_folders(),
        watch_filter=is_source,
        rust_timeout=CHECK_INTERVAL_MILLISECONDS,
        yield_on_timeout=True,
    )
    with closing(watcher):
        # The first step starts the watching thread. It inherits the blocked signals, so that
        # Ctrl-C reaches the main thread only, and waits while the stack stops processes.
        with signals_blocked():
            next(watcher)
        yield watcher


def reload(stack: Stack, changes: set[tuple[Change, str]]) -> None:
    """Replace the processes that run the code. A worker may complete its job before it exits."""
    first, *others = sorted(str(Path(path).relative_to(ROOT)) for _, path in changes)
    more = f" and {len(others)} more" if others else ""
    print(f"Changed: {first}{more}. Reloading ...", flush=True)
    if "worker" in stack.children:
        stack.retire("worker")
    stack.stop("sweeper", "site")
    stack.start(*RELOADED)


def serve(stack: Stack, names: list[str], ready: str) -> None:
    """Start the stack, and reload it on every change. Raises StackError if a process exits.

    After a change the code may not even start: then wait until the developer has corrected it.
    """
    is_changed = False
    with watched_sources() as watcher:
        stack.start(*names)
        print(ready, flush=True)
        for changes in watcher:
            is_changed = is_changed or bool(changes)
            try:
                if changes:
                    reload(stack, changes)
                    print(ready, flush=True)
                stack.check()
            except StackError as error:
                if not is_changed or not are_services_running(stack):
                    raise
                stack.stop(*RELOADED)
                print(f"{error}\nWaiting for the next change of code or templates ...", flush=True)


def are_services_running(stack: Stack) -> bool:
    services = [child for name, child in stack.children.items() if name not in RELOADED]
    return all(child.is_running for child in services)


def run() -> None:
    if broker.socket_from_url(settings.REDIS_URL) and broker.is_ready(settings.REDIS_URL):
        raise RunError(f"Already running with {shorten(settings.VAR_DIR)}. Stop that one first.")
    set_mail_address()
    stack = Stack(settings.VAR_DIR, **stack_variables())
    try:
        with stack:
            for name in PROCESSES:
                (stack.log_dir / f"{name}.log").unlink(missing_ok=True)
            names = process_names(stack)
            sign_in = prepare_database()
            print(
                f"Starting {get_text_list(names, 'and')} ...\n"
                f"Emails {mail_target(stack, names)}, the output of these processes in "
                f"{shorten(stack.log_dir)}. Ctrl-C stops them.",
                flush=True,
            )
            serve(stack, names, f"Ready: {stack.site_url}{sign_in}")
    except KeyboardInterrupt:
        failed = {
            name: code for name, code in stack.exit_codes.items() if code not in REGULAR_EXIT_CODES
        }
        if failed:
            raise RunError(f"\nStopped, but not all processes exited with 0: {failed}") from None
        print("\nStopped.", flush=True)


def main() -> int:
    end_on_signals()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    try:
        django.setup()
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        run()
    except KeyboardInterrupt:
        print("\nStopped.")
    except (RunError, StackError, ImproperlyConfigured, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
