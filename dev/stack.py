"""The local stack: broker, mail server, worker, sweeper and site, started, awaited and ended together.

A stack is described by its environment alone: REDIS_URL says where the broker listens, EMAIL_URL the mail server,
SITE_URL the site, and VAR_DIR holds the rest. It uses unix sockets and free ports, so that it meets no other.
"""

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil
import redis

from dev import broker
from dev.mailbox import Mailbox

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("broker", "mail", "worker", "sweeper", "site")
START_SECONDS = 30
END_SECONDS = 5

_libc = ctypes.CDLL(None)


class StackError(Exception):
    """A process of the stack did not start, or ended by itself; the message holds the end of its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody else is given as long as this process lives, for a server that sets SO_REUSEADDR.

    Its socket stays bound without listening. Linux lets such a server have the port then, and nobody who asks for any.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port = int(holder.getsockname()[1])
    if sys.platform == "linux":
        holder.detach()
    else:
        holder.close()
    return port


def environment(var: Path, redis_url: str, **changes: str) -> dict[str, str]:
    """The environment of a stack of its own over `var`; every variable that a `.env` could hold is answered here."""
    site_port = free_port()
    return os.environ | {
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "microblog.settings",
        "DEBUG": "true",
        "HTTPS": "false",
        "BEHIND_PROXY": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "VAR_DIR": str(var),
        "MAIL_DIR": str(var / "mail"),
        "DATABASE_URL": f"sqlite:///{var}/db.sqlite3",
        "REDIS_URL": redis_url,
        "EMAIL_URL": f"smtp://127.0.0.1:{free_port()}",
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "DEFAULT_FROM_EMAIL": "Microblog <noreply@microblog.example>",
        "ADMINS": "",
        "SENTRY_DSN": "",
        "METRICS_TOKEN": "",
        "LOG_FORMAT": "plain",
        "SITE_URL": f"http://127.0.0.1:{site_port}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "EXPORT_BUCKET": "",
        "STAFF_SECOND_FACTOR": "false",
        **changes,
    }


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def commands(env: Mapping[str, str]) -> dict[str, list[str]]:
    """What each process of the stack runs."""
    after_broker = [sys.executable, "-m", "dev.broker", "--wait"]
    mail_port = urlsplit(env["EMAIL_URL"]).port
    return {
        "broker": [sys.executable, "-m", "dev.broker"],
        "mail": [
            sys.executable,
            "-m",
            "dev.mail_server",
            "--port",
            str(mail_port),
            "--dir",
            env["MAIL_DIR"],
        ],
        "worker": [*after_broker, *manage("rqworker")],
        "sweeper": manage("sweeper"),
        "site": [
            *(
                sys.executable,
                "-m",
                "gunicorn",
                "microblog.wsgi",
                "--bind",
                urlsplit(env["SITE_URL"]).netloc,
            ),
            *("--threads", "4", "--graceful-timeout", "2", "--no-control-socket"),
        ],
    }


def session_members(session: int) -> list[int]:
    """The processes of a session. RQ's work-horse leaves its worker's process group, but not its session."""
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                members.append(pid)
    return members


def kill_session(session: int) -> None:
    for pid in session_members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    if sys.platform == "linux":
        _libc.prctl(
            1, signum
        )  # PR_SET_PDEATHSIG: nothing is left even where the parent gets a kill -9


class Child:
    """One process of the stack, in a session of its own; `log` takes what it prints."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Told without reaping it: until `kill` does, nobody else can get its pid, nor a session of that number."""
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def terminate(self) -> None:
        if self.is_running:
            self.process.terminate()

    def kill(self) -> None:
        """kill -9 for all of its session: a worker and its work-horse, the site and its workers."""
        if self.process.returncode is None:
            kill_session(self.pid)
            self.process.wait()

    def end(self, seconds: float = END_SECONDS) -> None:
        """SIGTERM, and SIGKILL for what is left after that time."""
        self.terminate()
        deadline = time.monotonic() + seconds
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(f"  {line}" for line in lines)


class Stack:
    """The processes over one folder. Use it as a context manager: at its end no process remains."""

    def __init__(self, var: Path, **changes: str) -> None:
        """`changes` are environment variables, such as DATABASE_URL or EXPORT_MAX_RATE."""
        self.var = var.resolve()
        self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log_dir = self.var / "log"
        self.log_dir.mkdir(exist_ok=True)
        self.socket = broker.socket_in(self.var)
        self.env = environment(self.var, f"unix://{self.socket}", **changes)
        self.site_url = self.env["SITE_URL"]
        self.mailbox = Mailbox(Path(self.env["MAIL_DIR"]))
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *names: str) -> None:
        """Start those processes, all by default, and wait until each is ready. StackError if one is not."""
        names = names or NAMES
        for name in names:
            log = self.log_dir / f"{name}.log"
            self.children[name] = Child(name, commands(self.env)[name], self.env, log)
        for name in names:
            self._await(name)

    def stop(self, *names: str) -> None:
        """End those processes, all by default; the broker last, because the others need it to say goodbye."""
        chosen = [name for name in reversed(names or NAMES) if name in self.children]
        ending = [self.children.pop(name) for name in chosen]
        with _uninterrupted():
            for child in ending:
                if child.name != "broker":
                    child.terminate()
            for child in ending:
                child.end()
            if self.socket.parent != self.var and not self.children:
                shutil.rmtree(self.socket.parent, ignore_errors=True)

    def kill(self, name: str) -> None:
        """kill -9, its whole session."""
        self.children.pop(name).kill()

    def run(self, *arguments: str) -> None:
        """Run a management command of the stack to its end. StackError, with what it printed, if it fails."""
        done = subprocess.run(
            manage(*arguments), cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    def check(self) -> None:
        """StackError if one of the processes has ended by itself."""
        for child in self.children.values():
            if not child.is_running:
                raise StackError(
                    f"The {child.name} has ended. The end of {child.log}:\n{child.last_lines()}"
                )

    def _await(self, name: str) -> None:
        child, is_ready = self.children[name], self._readiness(name)
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"The {name} is not ready after {START_SECONDS} seconds. "
                    f"The end of {child.log}:\n{child.last_lines()}"
                )
            time.sleep(0.05)

    def _readiness(self, name: str) -> Callable[[], bool]:
        tests: dict[str, Callable[[], bool]] = {
            "broker": lambda: broker.answers(self.env["REDIS_URL"]),
            "mail": self._mail_is_ready,
            "worker": self._worker_is_ready,
            "sweeper": lambda: self.children["sweeper"].is_running,
            "site": self._site_is_ready,
        }
        return tests[name]

    def _mail_is_ready(self) -> bool:
        try:
            address = ("127.0.0.1", urlsplit(self.env["EMAIL_URL"]).port or 0)
            with socket.create_connection(address, timeout=1) as connection:
                return connection.recv(3) == b"220"
        except OSError:
            return False

    def _worker_is_ready(self) -> bool:
        """Has RQ's register of workers one with that pid?"""
        try:
            with redis.Redis.from_url(self.env["REDIS_URL"], decode_responses=True) as connection:
                keys = connection.smembers("rq:workers")
                return str(self.children["worker"].pid) in [
                    connection.hget(key, "pid") for key in keys
                ]
        except redis.RedisError:
            return False

    def _site_is_ready(self) -> bool:
        connection = HTTPConnection(urlsplit(self.site_url).netloc, timeout=10)
        try:
            connection.request("GET", "/accounts/login/")
            return connection.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM, so that an impatient second one leaves no process behind."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def end_on_signals() -> None:
    """Let SIGTERM and a closed terminal end this process as Ctrl-C does, through every `with` and `finally`."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)
