"""Everything that an export needs, as real processes that can be broken."""

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
from django.conf import settings
from django.db.models import Model

from dev.stack import Stack, commands
from exports.models import ExportMail, ExportTask, MailStatus, Status

from .databases import Database, patient
from .supervisor import Service, Supervisor, members

WORKERS = ("worker1", "worker2")
DISK_BYTES = 64_000_000


@dataclass(frozen=True)
class Holder:
    """A process that builds (RUNNING) or mails (SENDING) the row `id`; `token` is its fencing token."""

    pid: int
    worker: str
    state: str
    id: str
    token: int

    @property
    def row(self) -> ExportTask | ExportMail | None:
        model: type[ExportTask] | type[ExportMail] = (
            ExportTask if self.state == Status.RUNNING else ExportMail
        )
        row: ExportTask | ExportMail | None = model._default_manager.filter(pk=self.id).first()
        return row

    @property
    def is_current(self) -> bool:
        """Whether the row still has that state, by that claim."""
        row = self.row
        token = row.attempt if isinstance(row, ExportTask) else row.tries if row else None
        return row is not None and (row.status, token) == (self.state, self.token)


class World:
    """Use it as a context manager: at its end no process, no mount and no server remains."""

    def __init__(
        self,
        var: Path,
        database: Database,
        *,
        lease: float = 4,
        rate: int = 300,
        without: str = "",
        **changes: str,
    ) -> None:
        self.var = var.resolve()
        self.database = database
        self.lease = lease
        self.tick = lease / 4
        self.without = without
        self.stack = Stack(
            self.var,
            DATABASE_URL=database.url,
            DJANGO_SETTINGS_MODULE="dev.chaos.settings",
            SECRET_KEY=settings.SECRET_KEY,  # or the sessions that the suite makes would be worth nothing
            PGAPPNAME="microblog",
            STATIC_COLLECTED="false",
            EXPORT_LEASE_SECONDS=str(lease),
            EXPORT_TICK_SECONDS=str(self.tick),
            EXPORT_MAX_RATE=str(rate),
            EXPORT_COOLDOWN="0",
            RATE_LIMITS="false",
            EXPORT_MIN_FREE="0",
            CHAOS_WITHOUT=without,
            LOG_LEVEL="INFO",
            **changes,
        )
        self.env = self.stack.env
        self.mail_dir = Path(self.env["MAIL_DIR"])
        self.hooks = self.var / "chaos"
        self.disk = self.var / "disk"
        self.is_mounted = False
        self.supervisor = Supervisor(self.stack.log_dir)
        self.frozen: set[str] = set()
        self._outages: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for folder in (self.mail_dir, self.hooks / "holders", self.hooks / "zombies", self.disk):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._mount()
            self.stack.run("migrate", "--verbosity", "0")
            self._add_services()
            self.supervisor.__enter__()
            self.supervisor.wait_up()
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
        if self.supervisor._thread.is_alive():
            self.supervisor.__exit__(kind, error, trace)
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)  # noqa: S607
        if self.stack.socket.parent != self.var:
            shutil.rmtree(self.stack.socket.parent, ignore_errors=True)

    def _mount(self) -> None:
        """Put unfinished and finished archives on a small disk of their own, where we may mount one."""
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={DISK_BYTES},mode=700",
            "tmpfs",
            str(self.disk),
        ]
        with suppress(FileNotFoundError):
            self.is_mounted = (
                subprocess.run(command, check=False, capture_output=True).returncode == 0
            )
        for name in ("parts", "archives"):
            (self.disk / name).mkdir(exist_ok=True)
            (self.var / name).symlink_to(self.disk / name)

    def _add_services(self) -> None:
        run = commands(self.env) | {"mail": self._mail_command()}
        for name, says in (("broker", "Ready to accept connections"), ("mail", "Mail server on")):
            self.supervisor.add(name, run[name], self.env, says)
        for name in WORKERS:
            self.supervisor.add(name, run["worker"], self.env, "Listening on")
        self.supervisor.add("site", run["site"], self.env, "Booting worker")
        has_sweeper = self.without != "sweeper"
        self.supervisor.add(
            "sweeper", run["sweeper"], self.env, "Sweeper started", wanted=has_sweeper
        )
        self.supervisor.add("sweeper2", run["sweeper"], self.env, "Sweeper started", wanted=False)

    def _mail_command(self) -> list[str]:
        command = commands(self.env)["mail"]
        return [part.replace("dev.mail_server", "dev.chaos.smtp") for part in command]

    # What is broken now

    @contextmanager
    def outage(self, *names: str) -> Iterator[None]:
        """Say that the suite itself keeps `broker` or `database` from working meanwhile."""
        self._outages.update(names)
        try:
            yield
        finally:
            self._outages.subtract(names)

    def works(self, name: str) -> bool:
        """Whether `broker`, `database`, `sweeper` or a `worker` is there for those that need it."""
        if name == "worker":
            return any(
                self.supervisor.is_up(worker) and worker not in self.frozen for worker in WORKERS
            )
        if name == "sweeper":
            # Where the suite itself leaves it out, it is not excused.
            return self.without == "sweeper" or any(
                map(self.supervisor.is_up, ("sweeper", "sweeper2"))
            )
        if name == "broker" and not self.supervisor.is_up("broker"):
            return False
        return self._outages[name] == 0

    # Whom to hit

    def workers(self) -> list[Service]:
        return [self.supervisor[name] for name in WORKERS]

    def holders(self, state: str) -> list[Holder]:
        """Who is in the middle of that now."""
        of_pid = {pid: worker.name for worker in self.workers() for pid in members(worker)}
        found = []
        for path in (self.hooks / "holders").iterdir():
            if path.name.isdigit() and int(path.name) in of_pid:
                facts = json.loads(path.read_text())
                found.append(Holder(int(path.name), of_pid[int(path.name)], **facts))
        return [
            holder
            for holder in found
            if holder.state == state and patient(lambda h=holder: h.is_current)
        ]  # type: ignore[misc]

    def aim(self, rng: random.Random, state: str = "", seconds: float = 20) -> Holder:
        """A process in the middle of a build, or of a mail, at a random moment of it. LookupError if there is none."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            wish = state or rng.choices([Status.RUNNING, MailStatus.SENDING], [6, 4])[0]
            give_up = min(deadline, time.monotonic() + 3)
            while time.monotonic() < give_up:
                if found := [
                    holder for holder in self.holders(wish) if holder.worker not in self.frozen
                ]:
                    holder = rng.choice(found)
                    time.sleep(rng.uniform(0, 0.5 if wish == Status.RUNNING else 0.15))
                    if patient(lambda h=holder: h.is_current):  # type: ignore[misc]
                        return holder
                time.sleep(0.02)
        raise LookupError(
            f"Nobody was in the middle of {state or 'anything'} for {seconds:g} seconds."
        )

    def service_of(self, holder: Holder) -> Service:
        return self.supervisor[holder.worker]

    def is_free(self, row: Model | None) -> bool:
        """Whether a process that is stopped now holds no lock in the database."""
        return row is None or self.database.is_free(row)

    # The broker and the mail server

    @contextmanager
    def connect(self) -> Iterator["redis.Redis"]:
        with redis.Redis(
            unix_socket_path=str(self.stack.socket), socket_timeout=0.5, decode_responses=True
        ) as broker:
            yield broker

    def queued(self) -> set[str] | None:
        """The ids of the jobs that wait; None while the broker does not answer."""
        try:
            with self.connect() as connection:
                return set(connection.lrange("rq:queue:default", 0, -1))  # type: ignore[arg-type]
        except redis.RedisError:
            return None

    def behave(self, mode: str) -> None:
        """How the mail server is to treat what comes."""
        part = self.mail_dir / "mode.part"
        part.write_text(mode)
        part.replace(self.mail_dir / "mode")

    def ledger(self, name: str = "ledger") -> list[dict[str, object]]:
        """What the mail server noted: `ledger` or `mishaps`."""
        path = self.mail_dir / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
