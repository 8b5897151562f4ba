"""The stack under test: real processes that the faults can hit, and their observed state."""

import json
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
import requests
from django.conf import settings

from dev.stack import Stack, commands
from tasks.models import Mail, MailStatus, Status, Task, mail_models, task_models

from .databases import Database, retry_query
from .supervisor import Service, Supervisor, process_ids

WORKERS = ("worker1", "worker2")
SWEEPERS = ("sweeper", "sweeper2")
SWEEPER_READY_LINE = "Sweeper started"
DISK_BYTES = 64_000_000


@dataclass(frozen=True)
class Claim:
    """Process that works on the task (RUNNING) or sends the mail (SENDING) `id`.

    `token` is the fencing token of the claim.
    """

    pid: int
    worker: str
    state: str
    id: str
    token: int

    @property
    def row(self) -> Task | Mail | None:
        is_mail = self.state == MailStatus.SENDING
        for model in mail_models() if is_mail else task_models():
            row: Task | Mail | None = model.objects.filter(pk=self.id).first()
            if row is not None:
                return row
        return None

    @property
    def is_current(self) -> bool:
        """True while the row has this state and token."""
        row = self.row
        if row is None:
            return False
        token = row.attempt if isinstance(row, Task) else row.tries
        return (row.status, token) == (self.state, self.token)


class Harness:
    """Context manager over the stack: no process, mount or server remains after it."""

    def __init__(
        self,
        var: Path,
        database: Database,
        *,
        lease: float = 4,
        rate: int = 300,
        without: str = "",
        **variables: str,
    ) -> None:
        """Prepare the stack over the folder `var`.

        `lease` is in seconds, `rate` in posts per second. `without` names the disabled protection.
        """
        self.var = var.resolve()
        self.database = database
        self.lease = lease
        self.without = without
        self.stack = Stack(
            self.var,
            DATABASE_URL=database.url,
            DJANGO_SETTINGS_MODULE="dev.chaos.settings",
            SECRET_KEY=settings.SECRET_KEY,  # signs the sessions that the suite creates
            PGAPPNAME="microblog",
            STATIC_COLLECTED="false",
            EXPORT_LEASE_SECONDS=str(lease),
            EXPORT_TICK_SECONDS=str(lease / 4),
            EXPORT_MAX_RATE=str(rate),
            EXPORT_COOLDOWN="0",
            RATE_LIMITS="false",
            EXPORT_MIN_FREE="0",
            CHAOS_WITHOUT=without,
            LOG_LEVEL="INFO",
            **variables,
        )
        self.env = self.stack.env
        self.mail_dir = Path(self.env["MAIL_DIR"])
        self.hook_dir = self.var / "chaos"
        self.disk_dir = self.var / "disk"
        self.is_mounted = False
        self.supervisor = Supervisor(self.stack.log_dir)
        self.frozen_workers: set[str] = set()
        self.broken_promises: list[str] = []
        self._outages: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for folder in (
            self.mail_dir,
            self.hook_dir / "claims",
            self.hook_dir / "zombies",
            self.disk_dir,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._mount_disk()
            self.stack.run("migrate", "--verbosity", "0")
            self._add_services()
            self.supervisor.__enter__()
            self.supervisor.wait_until_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.supervisor.is_running:
            self.supervisor.__exit__(kind, error, trace)
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.disk_dir)], check=False)  # noqa: S607
        if self.stack.socket.parent != self.var:
            shutil.rmtree(self.stack.socket.parent, ignore_errors=True)

    def _mount_disk(self) -> None:
        """Put the archives' folders on a small disk, if this user may mount one."""
        options = f"size={DISK_BYTES},mode=700"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.disk_dir)]
        with suppress(FileNotFoundError):
            mounted = subprocess.run(command, check=False, capture_output=True)
            self.is_mounted = mounted.returncode == 0
        for name in ("parts", "archives"):
            (self.disk_dir / name).mkdir(exist_ok=True)
            (self.var / name).symlink_to(self.disk_dir / name)

    def _add_services(self) -> None:
        command = commands(self.env)
        mail = [part.replace("dev.mail_server", "dev.chaos.smtp") for part in command["mail"]]
        add = self.supervisor.add
        add("broker", command["broker"], self.env, ready_line="Ready to accept connections")
        add("mail", mail, self.env, ready_line="Mail server on")
        for name in WORKERS:
            add(name, command["worker"], self.env, ready_line="Listening on")
        add("site", command["site"], self.env, ready_line="Booting worker")
        for name in SWEEPERS:
            add(
                name,
                command["sweeper"],
                self.env,
                ready_line=SWEEPER_READY_LINE,
                is_wanted=name == "sweeper" and self.without != "sweeper",
            )

    # Outages

    @contextmanager
    def outage(self, *names: str) -> Iterator[None]:
        """Record that the suite keeps `broker` or `database` from working inside the block."""
        self._outages.update(names)
        try:
            yield
        finally:
            self._outages.subtract(names)

    def is_available(self, name: str) -> bool:
        """Return whether the `broker`, the `database`, a `sweeper` or a `worker` is usable."""
        is_up = self.supervisor.is_up
        match name:
            case "worker":
                return any(is_up(worker) for worker in WORKERS if worker not in self.frozen_workers)
            case "sweeper":
                # Without a sweeper the suite must fail, so its absence excuses nothing.
                return self.without == "sweeper" or any(map(is_up, SWEEPERS))
            case "broker":
                return is_up("broker") and self._outages["broker"] == 0
            case _:
                return self._outages[name] == 0

    # Targets of faults

    def claims(self, state: str) -> list[Claim]:
        """Return the claims whose processes are in that state now."""
        worker_of_pid = {
            pid: name for name in WORKERS for pid in process_ids(self.supervisor[name])
        }
        found = []
        for path in (self.hook_dir / "claims").iterdir():
            if path.name.isdigit() and (worker := worker_of_pid.get(int(path.name))):
                fields = json.loads(path.read_text())
                found.append(Claim(pid=int(path.name), worker=worker, **fields))
        return [claim for claim in found if claim.state == state and _is_current(claim)]

    def wait_for_claim(self, rng: random.Random, state: str = "", seconds: float = 20) -> Claim:
        """Wait until a process is in the middle of a build or a delivery, and return its claim.

        The moment within the work is random. Raises LookupError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            wanted = state or rng.choices([Status.RUNNING, MailStatus.SENDING], [6, 4])[0]
            next_choice = min(deadline, time.monotonic() + 3)
            while time.monotonic() < next_choice:
                candidates = [
                    claim
                    for claim in self.claims(wanted)
                    if claim.worker not in self.frozen_workers
                ]
                if candidates:
                    claim = rng.choice(candidates)
                    time.sleep(rng.uniform(0, 0.5 if wanted == Status.RUNNING else 0.15))
                    if _is_current(claim):
                        return claim
                time.sleep(0.02)
        raise LookupError(f"No process was in state {state or 'any'} within {seconds:g} seconds.")

    def service_of(self, claim: Claim) -> Service:
        return self.supervisor[claim.worker]

    # Broker and mail server

    def queued_jobs(self) -> set[str] | None:
        """Return the ids of the queued jobs, or None if the broker does not answer."""
        try:
            with self.broker_connection() as connection:
                return set(connection.lrange("rq:queue:default", 0, -1))
        except redis.RedisError:
            return None

    def broker_connection(self) -> "redis.Redis":
        socket = str(self.stack.socket)
        return redis.Redis(unix_socket_path=socket, socket_timeout=0.5, decode_responses=True)

    def is_ready(self) -> bool:
        """Return whether the site reports that it, a worker and the sweeper are ready."""
        try:
            return requests.get(f"{self.env['SITE_URL']}/readyz", timeout=10).ok
        except requests.RequestException:
            return False

    def set_mail_mode(self, mode: str) -> None:
        """Switch the mail server to one of `smtp.MODES`."""
        part = self.mail_dir / "mode.part"
        part.write_text(mode)
        part.replace(self.mail_dir / "mode")

    def mail_log(self, name: str = "accepted") -> list[dict[str, object]]:
        """Return the lines that the mail server wrote to its log `accepted` or `faults`."""
        path = self.mail_dir / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def unfinished_rows() -> list[Task | Mail]:
    """Return all unfinished tasks and pending mails."""
    return [
        *(task for model in task_models() for task in model.objects.unfinished()),
        *(mail for model in mail_models() for mail in model.objects.pending()),
    ]


def _is_current(claim: Claim) -> bool:
    return retry_query(lambda: claim.is_current)
