"""Supervisor that restarts exited processes, as systemd does with `Restart=always`."""

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
    """Process that runs as long as it `is_wanted`.

    The service is up once its log contains `ready_line`.
    """

    name: str
    command: list[str]
    env: Mapping[str, str]
    ready_line: str
    is_wanted: bool = True
    extra_env: dict[str, str] = field(default_factory=dict)
    keep_orphans: bool = False  # at the next exit only, like systemd's KillMode=process
    child: Child | None = None
    exited_at: float = 0.0
    is_up: bool = False
    log_start: int = 0

    @property
    def pid(self) -> int:
        """Process id of the main process, or 0 if it does not run."""
        child = self.child
        return child.pid if child is not None and child.is_running else 0


class Supervisor:
    """Context manager over the services: no process remains after it, stopped or orphaned."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.services: dict[str, Service] = {}
        self.orphans: list[Child] = []
        self._stopping = threading.Event()
        # PR_SET_PDEATHSIG acts at the end of the thread that started the child, so one thread
        # starts all children and outlives them.
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
        self._stopping.set()
        self._thread.join()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def add(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        *,
        ready_line: str,
        is_wanted: bool = True,
    ) -> None:
        service = Service(
            name=name,
            command=command,
            env={**env, "CHAOS_PROCESS": name.rstrip("12")},
            ready_line=ready_line,
            is_wanted=is_wanted,
        )
        self.services = {**self.services, name: service}

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def is_up(self, name: str) -> bool:
        return self.services[name].is_up and self.services[name].pid != 0

    def wait_until_up(self, *names: str, seconds: float = 60) -> None:
        """Wait for these services, by default all wanted ones.

        Raises TimeoutError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        for name in names or [name for name, service in self.services.items() if service.is_wanted]:
            while not self.is_up(name):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{name} is not up after {seconds:g} seconds; see {self.log_dir}/{name}.log"
                    )
                time.sleep(POLL_SECONDS)

    def wait_until_down(self, name: str) -> None:
        while self.services[name].child is not None:
            time.sleep(POLL_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            for service in self.services.values():
                self._check(service)
        running = [service.child for service in self.services.values() if service.child is not None]
        for child in [*running, *self.orphans]:
            child.kill()

    def _check(self, service: Service) -> None:
        if service.child is not None and not service.child.is_running:
            self._handle_exit(service, service.child)
        if service.child is None:
            if service.is_wanted and time.monotonic() >= service.exited_at + RESTART_SECONDS:
                self._start(service)
        elif not service.is_up:
            with service.child.log.open("rb") as file:
                file.seek(service.log_start)
                service.is_up = service.ready_line.encode() in file.read()

    def _start(self, service: Service) -> None:
        log = self.log_dir / f"{service.name}.log"
        service.log_start = log.stat().st_size if log.exists() else 0
        env = {**service.env, **service.extra_env}
        service.child = Child(service.name, service.command, env, log)

    def _handle_exit(self, service: Service, child: Child) -> None:
        if service.keep_orphans:
            # Not reaped: otherwise the kernel could give its session id to another process.
            self.orphans.append(child)
        else:
            child.kill()
        service.child, service.is_up, service.keep_orphans = None, False, False
        service.exited_at = time.monotonic()


def send_signal(signum: signal.Signals, *pids: int) -> None:
    """Signal each process that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def process_ids(service: Service) -> list[int]:
    """Return the ids of the service's process and its descendants."""
    return session_members(service.pid) if service.pid else []
