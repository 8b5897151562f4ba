"""Local stack: broker, mail server, worker, sweeper and site as child processes.

The environment alone describes a stack: the broker listens at REDIS_URL, the mail server at
EMAIL_URL, the site at SITE_URL, and VAR_DIR holds the rest. Unix sockets and free ports keep stacks
from colliding.
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
from microblog.addresses import socket_url, sqlite_url

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = ("broker", "mail", "worker", "sweeper", "site")
START_SECONDS = 30
STOP_SECONDS = 5
WORKING_STATES = ("idle", "busy", "suspended")  # of an RQ worker that has started
WARM_STOP_SECONDS = 3  # after which a worker is told to leave its job
PR_SET_PDEATHSIG = 1  # prctl

_libc = ctypes.CDLL(None)


class StackError(Exception):
    """Failure of a process to start, or its unexpected exit; the message has the end of its log."""


def free_port() -> int:
    """Reserve a port of 127.0.0.1 for a server that sets SO_REUSEADDR, and return its number.

    The reserving socket stays bound, without listening, as long as this process lives. On Linux
    such a server can still bind to the port, and the kernel gives it to nobody else.
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


def environment(var: Path, redis_url: str, **variables: str) -> dict[str, str]:
    """Return the environment of a stack over `var`.

    Every variable that a `.env` file could hold is set, so that the file has no effect.
    """
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
        "DATABASE_URL": sqlite_url(var / "db.sqlite3"),
        "REDIS_URL": redis_url,
        "EMAIL_URL": f"smtp://127.0.0.1:{free_port()}",
        "EMAIL_BACKEND": "microblog.smtp.EmailBackend",
        "DEFAULT_FROM_EMAIL": "Microblog <noreply@microblog.example>",
        "ADMINS": "",
        "SENTRY_DSN": "",
        "METRICS_TOKEN": "",
        "LOG_FORMAT": "plain",
        "SITE_URL": f"http://127.0.0.1:{site_port}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "EXPORT_BUCKET": "",
        "STAFF_SECOND_FACTOR": "false",
        **variables,
    }


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def commands(env: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the command line of each process."""
    after_broker = [sys.executable, "-m", "dev.broker", "--wait"]
    mail_port = urlsplit(env["EMAIL_URL"]).port
    return {
        "broker": [sys.executable, "-m", "dev.broker"],
        "mail": [
            *(sys.executable, "-m", "dev.mail_server"),
            *("--port", str(mail_port), "--dir", env["MAIL_DIR"]),
        ],
        "worker": [*after_broker, *manage("rqworker")],
        "sweeper": manage("sweeper"),
        "site": [
            *(sys.executable, "-m", "gunicorn", "microblog.wsgi"),
            *("--bind", urlsplit(env["SITE_URL"]).netloc),
            *("--threads", "4", "--graceful-timeout", "2", "--no-control-socket"),
        ],
    }


def session_members(session: int) -> list[int]:
    """Return the process ids of a session.

    RQ's work-horse leaves its worker's process group, but not its session.
    """
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
    """Let the kernel signal this process when its parent dies, even by kill -9. Linux only."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signum)


class Child:
    """Process in a session of its own; `log` receives its output."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
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
        """True while the process runs; does not reap it.

        Until `kill` reaps the process, the kernel cannot give its id to another process or session.
        """
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    @property
    def exit_code(self) -> int:
        """Exit code of a process after `stop` or `kill`: a signal is 128 + its number."""
        code = self.process.returncode
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        if self.is_running:
            self.process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the whole session: worker and work-horse, site and its workers."""
        if self.process.returncode is None:
            kill_session(self.pid)
            self.process.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Send SIGTERM, and after `seconds` SIGKILL to the remaining processes."""
        stop_all([self], seconds)

    def last_lines(self, count: int = 15) -> str:
        """Return the end of this process's own output; earlier ones wrote to the same log."""
        output = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return "\n".join(f"  {line}" for line in output.splitlines()[-count:])


def stop_all(children: list[Child], seconds: float = STOP_SECONDS) -> None:
    """Send SIGTERM to all, once more shortly before `seconds` are over, and then SIGKILL.

    The second SIGTERM makes RQ's worker leave its job and exit with 0; the others ignore it.
    """
    warm = min(seconds, WARM_STOP_SECONDS)
    for pause in (warm, seconds - warm):
        for child in children:
            child.terminate()
        deadline = time.monotonic() + pause
        while any(child.is_running for child in children) and time.monotonic() < deadline:
            time.sleep(0.02)
    for child in children:
        child.kill()


class Stack:
    """Context manager over the processes of one folder: no process remains after it."""

    def __init__(self, var: Path, **variables: str) -> None:
        """Prepare a stack over `var`; `variables` override its environment."""
        self.var = var.resolve()
        self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log_dir = self.var / "log"
        self.log_dir.mkdir(exist_ok=True)
        self.socket = broker.socket_path(self.var)
        self.env = environment(self.var, socket_url(self.socket), **variables)
        self.site_url = self.env["SITE_URL"]
        self.mailbox = Mailbox(Path(self.env["MAIL_DIR"]))
        self.children: dict[str, Child] = {}
        self.retired: list[Child] = []
        self.exit_codes: dict[str, int] = {}

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
        """Start these processes (default: all) and wait until each is ready.

        Raises StackError if one is not.
        """
        names = names or PROCESSES
        for name in names:
            log = self.log_dir / f"{name}.log"
            self.children[name] = Child(name, commands(self.env)[name], self.env, log)
        for name in names:
            self._wait_until_ready(name)

    def retire(self, name: str) -> None:
        """Let a worker exit after its current job, while another one takes its place."""
        for child in self.retired:
            if not child.is_running:
                child.kill()
        child = self.children.pop(name)
        child.name = f"{name} {child.pid}"
        child.terminate()
        self.retired.append(child)

    def stop(self, *names: str) -> None:
        """Stop these processes (default: all, with the retired ones), and save their exit codes.

        The broker stops last, because workers deregister there.
        """
        running = [name for name in names or list(self.children) if name in self.children]
        stopping = [self.children.pop(name) for name in running]
        if not names:
            stopping += self.retired
            self.retired = []
        with signals_blocked():
            stop_all([child for child in stopping if child.name != "broker"])
            stop_all([child for child in stopping if child.name == "broker"])
            self.exit_codes = {child.name: child.exit_code for child in stopping}
            if self.socket.parent != self.var and not self.children:
                shutil.rmtree(self.socket.parent, ignore_errors=True)

    def kill(self, name: str) -> None:
        """Send SIGKILL to the process's whole session."""
        self.children.pop(name).kill()

    def run(self, *arguments: str) -> None:
        """Run a management command. Raises StackError with its output if it fails."""
        done = subprocess.run(
            manage(*arguments), cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    def check(self) -> None:
        """Raise StackError if a process has exited."""
        for child in self.children.values():
            if not child.is_running:
                child.kill()
                raise StackError(
                    f"The {child.name} process exited (code {child.exit_code}). "
                    f"End of {child.log}:\n{child.last_lines()}"
                )

    def _wait_until_ready(self, name: str) -> None:
        child = self.children[name]
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready(name):
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"The {name} process is not ready after {START_SECONDS} seconds. "
                    f"End of {child.log}:\n{child.last_lines()}"
                )
            time.sleep(0.05)

    def is_ready(self, name: str) -> bool:
        """Return whether the process does its work already."""
        checks: dict[str, Callable[[], bool]] = {
            "broker": lambda: broker.is_ready(self.env["REDIS_URL"]),
            "mail": self._is_mail_server_ready,
            "worker": self._is_worker_ready,
            "sweeper": lambda: self.children["sweeper"].is_running,
            "site": self._is_site_ready,
        }
        return checks[name]()

    def _is_mail_server_ready(self) -> bool:
        try:
            address = ("127.0.0.1", urlsplit(self.env["EMAIL_URL"]).port or 0)
            with socket.create_connection(address, timeout=1) as connection:
                return connection.recv(3) == b"220"
        except OSError:
            return False

    def _is_worker_ready(self) -> bool:
        """Return whether RQ has registered a started worker with the child's process id.

        Before that it does not handle SIGTERM.
        """
        pid = str(self.children["worker"].pid)
        try:
            with redis.Redis.from_url(self.env["REDIS_URL"], decode_responses=True) as connection:
                workers = [connection.hgetall(key) for key in connection.smembers("rq:workers")]
                return any(
                    worker.get("pid") == pid and worker.get("state") in WORKING_STATES
                    for worker in workers
                )
        except redis.RedisError:
            return False

    def _is_site_ready(self) -> bool:
        connection = HTTPConnection(urlsplit(self.site_url).netloc, timeout=10)
        try:
            connection.request("GET", "/accounts/login/")
            return connection.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM, so that a second one cannot leave a process behind."""
    previous = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def end_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that `with` and `finally` clean up."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)
