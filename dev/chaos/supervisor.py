"""Starts again what has died, as systemd does with `Restart=always`."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.stack import Child, session_members

RESTART_SECONDS = 0.3
POLL_SECONDS = 0.03


@dataclass
class Service:
    """A process that should run as long as it is `wanted`; it is up once its log has the line `says`."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    says: str
    wanted: bool = True
    more_env: dict[str, str] = field(default_factory=dict)
    keeps_orphans: bool = False  # at the next death only; systemd's KillMode=process
    child: Child | None = None
    died_at: float = 0.0
    is_up: bool = False
    log_from: int = 0

    @property
    def pid(self) -> int:
        """Of the process itself, not of those that it started; 0 where it does not run."""
        child = self.child
        return child.pid if child is not None and child.is_running else 0


class Supervisor:
    """Use it as a context manager: at its end no process remains, not even a stopped or orphaned one."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.services: dict[str, Service] = {}
        self.orphaned: list[Child] = []
        self._ending = threading.Event()
        # One thread starts everything and outlives it: the kernel ends a child when the thread that started it ends.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def add(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        says: str,
        *,
        wanted: bool = True,
    ) -> None:
        service = Service(
            name, command, {**env, "CHAOS_PROCESS": name.rstrip("12")}, says, wanted=wanted
        )
        self.services = {**self.services, name: service}

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def is_up(self, name: str) -> bool:
        return self.services[name].is_up and self.services[name].pid != 0

    def wait_up(self, *names: str, seconds: float = 60) -> None:
        """TimeoutError if they are not up in that time."""
        deadline = time.monotonic() + seconds
        for name in names or [name for name, service in self.services.items() if service.wanted]:
            while not self.is_up(name):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{name} is not up after {seconds:g} seconds; see {self.log_dir}/{name}.log"
                    )
                time.sleep(POLL_SECONDS)

    def wait_down(self, name: str) -> None:
        while self.services[name].child is not None:
            time.sleep(POLL_SECONDS)

    def _run(self) -> None:
        while not self._ending.wait(POLL_SECONDS):
            for service in self.services.values():
                self._tend(service)
        children = [
            service.child for service in self.services.values() if service.child is not None
        ]
        for child in [*children, *self.orphaned]:
            child.kill()

    def _tend(self, service: Service) -> None:
        if service.child is not None and not service.child.is_running:
            self._bury(service, service.child)
        if service.child is None:
            if service.wanted and time.monotonic() >= service.died_at + RESTART_SECONDS:
                self._start(service)
        elif not service.is_up:
            service.is_up = service.says.encode() in _tail(service.child.log, service.log_from)

    def _start(self, service: Service) -> None:
        log = self.log_dir / f"{service.name}.log"
        service.log_from = log.stat().st_size if log.exists() else 0
        service.child = Child(
            service.name, service.command, {**service.env, **service.more_env}, log
        )

    def _bury(self, service: Service, child: Child) -> None:
        if service.keeps_orphans:
            self.orphaned.append(
                child
            )  # not reaped: as long as it is there, nobody else gets its session's number
        else:
            child.kill()
        service.child, service.is_up, service.keeps_orphans = None, False, False
        service.died_at = time.monotonic()


def _tail(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


def send(signum: signal.Signals, *pids: int) -> None:
    """Signal each that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def members(service: Service) -> list[int]:
    """The service's process, and those that it started."""
    return session_members(service.pid) if service.pid else []
