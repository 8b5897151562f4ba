"""The kinds of fault. Each is a function that breaks something, waits, and puts it back.

It returns whom it hit in the middle of work; LookupError says that there was nobody, and that nothing was done.
"""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exports.models import MailStatus, Status

from .accounts import Crowd
from .databases import Postgres, patient
from .supervisor import Service, members, send
from .world import WORKERS, Holder, World

CLOCK = Path(__file__).parent / "clock"


@dataclass(frozen=True)
class Scene:
    """What a fault has to work with."""

    world: World
    crowd: Crowd
    rng: random.Random

    def pause(self, leases: float, at_most: float | None = None) -> float:
        """A random time in seconds, up to that many leases."""
        return self.rng.uniform(0.3 * leases, at_most or leases) * self.world.lease


Inject = Callable[[Scene], list[Holder]]


@dataclass(frozen=True)
class Kind:
    """Faults of one lane follow one another; lanes overlap. `is_kill` says that it is aimed at a process at work."""

    title: str
    inject: Inject
    lane: str
    is_kill: bool = False
    postgres_only: bool = False
    share: float = 1


KINDS: dict[str, Kind] = {}


def kind(
    title: str, lane: str, *, is_kill: bool = False, postgres_only: bool = False, share: float = 1
) -> Callable[[Inject], Inject]:
    def register(inject: Inject) -> Inject:
        KINDS[inject.__name__] = Kind(title, inject, lane, is_kill, postgres_only, share)
        return inject

    return register


# Workers


@kind("kill -9 of the work-horse", "kills", is_kill=True)
def kill_work_horse(scene: Scene) -> list[Holder]:
    target = scene.world.aim(scene.rng)
    send(signal.SIGKILL, target.pid)
    return [target]


@kind("kill -9 of the worker; its service is cleaned up", "kills", is_kill=True)
def kill_worker(scene: Scene) -> list[Holder]:
    target = scene.world.aim(scene.rng)
    send(signal.SIGKILL, scene.world.service_of(target).pid)
    return [target]


@kind("kill -9 of worker and work-horse at once", "kills", is_kill=True)
def kill_both(scene: Scene) -> list[Holder]:
    target = scene.world.aim(scene.rng)
    worker = scene.world.service_of(target).pid
    send(signal.SIGSTOP, worker)  # or it might still see its work-horse die
    send(signal.SIGKILL, target.pid, worker)
    return [target]


@kind("kill -9 of the worker's parent; the work-horse goes on", "kills", is_kill=True)
def kill_parent_only(scene: Scene) -> list[Holder]:
    target = scene.world.aim(scene.rng)
    service = scene.world.service_of(target)
    service.keeps_orphans = True
    send(signal.SIGKILL, service.pid)
    return [target]


@kind("SIGTERM to the whole group", "kills", is_kill=True)
def terminate_group(scene: Scene) -> list[Holder]:
    target = scene.world.aim(scene.rng)
    send(signal.SIGTERM, *members(scene.world.service_of(target)))
    return [target]


@kind("SIGSTOP past the lease while building, SIGCONT", "zombies", is_kill=True)
def freeze_building(scene: Scene) -> list[Holder]:
    return freeze(scene, Status.RUNNING)


@kind("SIGSTOP past the lease while mailing, SIGCONT", "zombies", is_kill=True)
def freeze_mailing(scene: Scene) -> list[Holder]:
    return freeze(scene, MailStatus.SENDING)


def freeze(scene: Scene, state: str) -> list[Holder]:
    """Stop a work-horse, or its worker with it, until another has taken over, and wake it while that one works."""
    target, pids = _stop_between_writes(scene, state)
    lease = scene.world.lease
    scene.world.frozen.add(target.worker)
    try:
        began = time.monotonic()
        time.sleep(1.1 * lease)
        while time.monotonic() < began + 3 * lease and not _successor_works(target):
            time.sleep(0.02)
        time.sleep(scene.rng.uniform(0, 0.2))
    finally:
        send(signal.SIGCONT, *pids)
        scene.world.frozen.discard(target.worker)
    return [target]


def _stop_between_writes(scene: Scene, state: str) -> tuple[Holder, list[int]]:
    """A process that is stopped in the middle of a write keeps everybody out until it wakes: docs/reliability.md."""
    for _ in range(20):
        target = scene.world.aim(scene.rng, state)
        pids = members(scene.world.service_of(target)) if scene.rng.random() < 0.5 else [target.pid]
        send(signal.SIGSTOP, *pids)
        if patient(lambda t=target: t.is_current and scene.world.is_free(t.row)):  # type: ignore[misc]
            return target, pids
        send(signal.SIGCONT, *pids)
    raise LookupError(f"Nobody in the middle of {state} could be stopped between two writes.")


def _successor_works(target: Holder) -> bool:
    row: Any = patient(lambda: target.row)
    token = row.attempt if target.state == Status.RUNNING else row.tries
    return bool(token > target.token and row.status == target.state)


@kind("an account whose build always kills its process", "zombies", share=0.4)
def poison(scene: Scene) -> list[Holder]:
    account = scene.rng.choice(scene.crowd.poisoned)
    for _ in range(50):
        if scene.crowd.ask(account):
            return []
        time.sleep(0.2)
    raise LookupError("The site did not take the request.")


# The broker


@kind("Valkey restarted empty", "ground", share=0.7)
def empty_broker(scene: Scene) -> list[Holder]:
    service = scene.world.supervisor["broker"]
    with scene.world.outage("broker"), _held_down(scene.world, service):
        shutil.rmtree(scene.world.var / "appendonlydir", ignore_errors=True)
    scene.world.supervisor.wait_up("broker")
    return []


@kind("Valkey gone for one and a half leases", "ground", share=0.5)
def lose_broker(scene: Scene) -> list[Holder]:
    with scene.world.outage("broker"), _held_down(scene.world, scene.world.supervisor["broker"]):
        time.sleep(1.5 * scene.world.lease)
    scene.world.supervisor.wait_up("broker")
    return []


@kind("Valkey hung", "ground", share=0.6)
def hang_broker(scene: Scene) -> list[Holder]:
    pid = scene.world.supervisor["broker"].pid
    with scene.world.outage("broker"):
        send(signal.SIGSTOP, pid)
        try:
            time.sleep(scene.pause(1.5))
        finally:
            send(signal.SIGCONT, pid)
    return []


class _held_down:
    """Keeps a service from being started; it is killed before, and starts again after."""

    def __init__(self, world: World, service: Service) -> None:
        self.world, self.service = world, service

    def __enter__(self) -> None:
        self.service.wanted = False
        send(signal.SIGKILL, self.service.pid)
        self.world.supervisor.wait_down(self.service.name)

    def __exit__(self, *error: object) -> None:
        self.service.wanted = True


# The site


@kind("site killed between commit and enqueue", "kills")
def kill_site_before_enqueue(scene: Scene) -> list[Holder]:
    asked, hit = (
        scene.world.hooks / name for name in ("die-before-enqueue", "died-before-enqueue")
    )
    hit.unlink(missing_ok=True)
    asked.touch()
    deadline = time.monotonic() + 20
    while not hit.exists():
        if time.monotonic() > deadline:
            asked.unlink(missing_ok=True)
            raise LookupError("Nobody asked for an export.")
        time.sleep(0.02)
    return [Holder(0, "site", Status.READY, json.loads(hit.read_text()), 1)]


# The database


@kind("database connections cut (SQLite: locked by another process)", "ground")
def cut_connections(scene: Scene) -> list[Holder]:
    with scene.world.outage("database"):
        patient(lambda: scene.world.database.cut(lambda: time.sleep(scene.pause(1.2))))
    return []


@kind("PostgreSQL restarted, -m immediate", "ground", postgres_only=True, share=0.8)
def restart_database(scene: Scene) -> list[Holder]:
    assert isinstance(scene.world.database, Postgres)
    with scene.world.outage("database"):
        scene.world.database.restart()
    return []


# The mail server


def misbehave(scene: Scene, mode: str) -> list[Holder]:
    """Keep to that mode until a mail has met it, and a while longer."""
    before = len(scene.world.ledger("mishaps"))
    scene.world.behave(mode)
    try:
        deadline = time.monotonic() + 3 * scene.world.lease
        if mode != "refuse":
            while len(scene.world.ledger("mishaps")) == before and time.monotonic() < deadline:
                time.sleep(0.05)
        time.sleep(scene.pause(0.7))
    finally:
        scene.world.behave("well")
    if mode != "refuse" and len(scene.world.ledger("mishaps")) == before:
        raise LookupError("No mail came.")
    return []


@kind("SMTP refusing connections", "mail")
def smtp_refuses(scene: Scene) -> list[Holder]:
    return misbehave(scene, "refuse")


@kind("SMTP answering 4xx", "mail")
def smtp_4xx(scene: Scene) -> list[Holder]:
    return misbehave(scene, "4xx")


@kind("SMTP answering 5xx", "mail")
def smtp_5xx(scene: Scene) -> list[Holder]:
    return misbehave(scene, "5xx")


@kind("SMTP hanging", "mail")
def smtp_hangs(scene: Scene) -> list[Holder]:
    return misbehave(scene, "hang")


@kind("SMTP closing after DATA, message not taken", "mail")
def smtp_drops(scene: Scene) -> list[Holder]:
    return misbehave(scene, "drop")


@kind("SMTP closing after DATA, message taken", "mail")
def smtp_swallows(scene: Scene) -> list[Holder]:
    return misbehave(scene, "swallow")


# The disk


@kind("disk full in the archives' folder", "ground", share=0.4)
def fill_disk(scene: Scene) -> list[Holder]:
    """A small disk is filled to the brim; where none may be mounted, builds are told that it is full (ENOSPC)."""
    filler = (
        scene.world.disk / "filler" if scene.world.is_mounted else scene.world.hooks / "disk-full"
    )
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while scene.world.is_mounted:
                file.write(bytes(1 << 16))
        time.sleep(scene.pause(0.8))
    finally:
        filler.unlink()
    return []


# Sweepers and clocks


@kind("sweeper killed", "kills")
def kill_sweeper(scene: Scene) -> list[Holder]:
    send(signal.SIGKILL, scene.world.supervisor["sweeper"].pid)
    return []


@kind("two sweepers", "zombies")
def two_sweepers(scene: Scene) -> list[Holder]:
    second = scene.world.supervisor["sweeper2"]
    second.wanted = True
    try:
        scene.world.supervisor.wait_up("sweeper2")
        time.sleep(scene.pause(2))
    finally:
        second.wanted = False
        send(signal.SIGTERM, second.pid)
    return []


@kind("one process's clock a minute ahead", "zombies", postgres_only=True)
def clock_ahead(scene: Scene) -> list[Holder]:
    service = scene.world.supervisor[scene.rng.choice([*WORKERS, "sweeper", "site"])]
    service.more_env = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": "60"}
    try:
        _restart(scene.world, service)
        time.sleep(scene.pause(2))
    finally:
        service.more_env = {}
        send(signal.SIGTERM, service.pid)
    return []


def _restart(world: World, service: Service) -> None:
    old = service.child
    send(signal.SIGTERM, service.pid)
    deadline = time.monotonic() + 30
    while service.child is old and time.monotonic() < deadline:
        time.sleep(0.02)
    world.supervisor.wait_up(service.name)


def chosen(database: str, names: list[str] | None = None) -> list[str]:
    """The kinds that the database knows, or those of `names`."""
    known = [
        name for name, what in KINDS.items() if database == Postgres.name or not what.postgres_only
    ]
    return [name for name in known if names is None or name in names]
