"""The faults: functions that break something, wait, and repair it.

Each returns the claims whose processes it hit in the middle of work. It raises LookupError if there
was nothing to hit; then nothing was broken.
"""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.utils import utcformat

from exports.models import ExportTask
from tasks.models import MailStatus, Status

from .accounts import LoadGenerator
from .databases import Postgres, retry_query
from .harness import WORKERS, Claim, Harness
from .supervisor import Service, process_ids, send_signal

CLOCK_DIR = Path(__file__).parent / "clock"
CLOCK_SKEW_SECONDS = 60
MAX_RECOVERY_SECONDS = 40  # an idle worker sends a heartbeat every 15 seconds
WITHOUT_TTL = -1
TIMES_SEEN = 5

FOREIGN_JOBS: dict[str, tuple[str, dict[str, str]]] = {
    "function": ("os.system", {}),
    "success": ("tasks.jobs.run_task", {"success_callback_name": "os.system"}),
    "failure": ("tasks.jobs.run_task", {"failure_callback_name": "os.system"}),
    "stopped": ("tasks.jobs.run_task", {"stopped_callback_name": "os.system"}),
    "webhook": ("tasks.jobs.run_task", {"webhooks": '[{"url": "http://127.0.0.1:9/"}]'}),
    "date": ("os.system", {"created_at": "yesterday"}),
    "status": ("os.system", {"status": "dancing"}),
    "timeout": ("os.system", {"timeout": "soon"}),
}
"""What is foreign in each job: its function, and fields of its hash."""


@dataclass(frozen=True)
class FaultContext:
    """Everything that a fault can use."""

    harness: Harness
    load: LoadGenerator
    rng: random.Random

    def pause_seconds(self, max_leases: float) -> float:
        """Return a random duration of up to that many leases."""
        return self.rng.uniform(0.3 * max_leases, max_leases) * self.harness.lease

    def pause(self, max_leases: float) -> None:
        time.sleep(self.pause_seconds(max_leases))


Inject = Callable[[FaultContext], list[Claim]]


@dataclass(frozen=True)
class FaultKind:
    """Declaration of a fault.

    Faults of one lane run one after another; lanes run in parallel. `is_kill` marks a fault aimed
    at a process at work. `weight` is its relative frequency.
    """

    title: str
    inject: Inject
    lane: str
    is_kill: bool = False
    postgres_only: bool = False
    weight: float = 1


FAULT_KINDS: dict[str, FaultKind] = {}


def fault(
    *,
    title: str,
    lane: str,
    is_kill: bool = False,
    postgres_only: bool = False,
    weight: float = 1,
) -> Callable[[Inject], Inject]:
    """Register a function as a fault under its own name."""

    def register(inject: Inject) -> Inject:
        FAULT_KINDS[inject.__name__] = FaultKind(
            title=title,
            inject=inject,
            lane=lane,
            is_kill=is_kill,
            postgres_only=postgres_only,
            weight=weight,
        )
        return inject

    return register


# Workers


@fault(title="kill -9 of the work-horse", lane="kills", is_kill=True)
def kill_work_horse(context: FaultContext) -> list[Claim]:
    target = context.harness.wait_for_claim(context.rng)
    send_signal(signal.SIGKILL, target.pid)
    return [target]


@fault(title="kill -9 of the worker, then of its service's group", lane="kills", is_kill=True)
def kill_worker(context: FaultContext) -> list[Claim]:
    target = context.harness.wait_for_claim(context.rng)
    send_signal(signal.SIGKILL, context.harness.service_of(target).pid)
    return [target]


@fault(title="kill -9 of worker and work-horse at once", lane="kills", is_kill=True)
def kill_worker_and_work_horse(context: FaultContext) -> list[Claim]:
    target = context.harness.wait_for_claim(context.rng)
    worker = context.harness.service_of(target).pid
    send_signal(signal.SIGSTOP, worker)  # so that it cannot see its work-horse die
    send_signal(signal.SIGKILL, target.pid, worker)
    return [target]


@fault(title="kill -9 of the worker; the work-horse continues", lane="kills", is_kill=True)
def orphan_work_horse(context: FaultContext) -> list[Claim]:
    target = context.harness.wait_for_claim(context.rng)
    service = context.harness.service_of(target)
    service.keep_orphans = True
    send_signal(signal.SIGKILL, service.pid)
    return [target]


@fault(title="SIGTERM to the worker's whole group", lane="kills", is_kill=True)
def terminate_worker_group(context: FaultContext) -> list[Claim]:
    target = context.harness.wait_for_claim(context.rng)
    send_signal(signal.SIGTERM, *process_ids(context.harness.service_of(target)))
    return [target]


@fault(title="SIGSTOP during a build, SIGCONT after the lease", lane="zombies", is_kill=True)
def freeze_build(context: FaultContext) -> list[Claim]:
    return _freeze(context, Status.RUNNING)


@fault(title="SIGSTOP during delivery, SIGCONT after the lease", lane="zombies", is_kill=True)
def freeze_delivery(context: FaultContext) -> list[Claim]:
    return _freeze(context, MailStatus.SENDING)


def _freeze(context: FaultContext, state: str) -> list[Claim]:
    """Stop a work-horse, or its whole worker, until another has claimed the row; then wake it."""
    target, pids = _stop_between_writes(context, state)
    lease = context.harness.lease
    context.harness.frozen_workers.add(target.worker)
    try:
        started = time.monotonic()
        time.sleep(1.1 * lease)
        while time.monotonic() < started + 3 * lease and not _is_claimed_again(target):
            time.sleep(0.02)
        time.sleep(context.rng.uniform(0, 0.2))
    finally:
        send_signal(signal.SIGCONT, *pids)
        context.harness.frozen_workers.discard(target.worker)
    return [target]


def _stop_between_writes(context: FaultContext, state: str) -> tuple[Claim, list[int]]:
    """Stop a claim's process outside of any transaction.

    A process stopped inside of one would keep its database locks until it wakes; see
    docs/reliability.md.
    """
    for _ in range(20):
        target = context.harness.wait_for_claim(context.rng, state)
        if context.rng.random() < 0.5:
            pids = process_ids(context.harness.service_of(target))
        else:
            pids = [target.pid]
        send_signal(signal.SIGSTOP, *pids)
        if retry_query(partial(_is_between_writes, context.harness, target)):
            return target, pids
        send_signal(signal.SIGCONT, *pids)
    raise LookupError(f"No process in state {state} could be stopped between two writes.")


def _is_between_writes(harness: Harness, target: Claim) -> bool:
    return target.is_current and harness.database.has_no_frozen_transaction()


def _is_claimed_again(target: Claim) -> bool:
    row: Any = retry_query(lambda: target.row)
    if row is None:  # deleted with its account
        return True
    token = row.attempt if target.state == Status.RUNNING else row.tries
    return bool(token > target.token and row.status == target.state)


@fault(title="account whose build always kills its process", lane="zombies", weight=0.4)
def poison(context: FaultContext) -> list[Claim]:
    account = context.rng.choice(context.load.poison_accounts)
    for _ in range(50):
        if context.load.request_export(account):
            return []
        time.sleep(0.2)
    raise LookupError("The site did not accept the request.")


# Broker


@fault(title="Valkey restarted without data", lane="infrastructure", weight=0.7)
def empty_broker(context: FaultContext) -> list[Claim]:
    harness = context.harness
    with harness.outage("broker"), _kept_down(harness, harness.supervisor["broker"]):
        shutil.rmtree(harness.var / "appendonlydir", ignore_errors=True)
    harness.supervisor.wait_until_up("broker")
    return []


@fault(title="Valkey stopped for one and a half leases", lane="infrastructure", weight=0.5)
def stop_broker(context: FaultContext) -> list[Claim]:
    harness = context.harness
    with harness.outage("broker"), _kept_down(harness, harness.supervisor["broker"]):
        time.sleep(1.5 * harness.lease)
    harness.supervisor.wait_until_up("broker")
    return []


@fault(title="Valkey frozen", lane="infrastructure", weight=0.6)
def freeze_broker(context: FaultContext) -> list[Claim]:
    pid = context.harness.supervisor["broker"].pid
    with context.harness.outage("broker"):
        send_signal(signal.SIGSTOP, pid)
        try:
            context.pause(1.5)
        finally:
            send_signal(signal.SIGCONT, pid)
    return []


@fault(title="FLUSHALL with live workers", lane="infrastructure", weight=0.5)
def flush_broker(context: FaultContext) -> list[Claim]:
    """Delete all keys. The site must be ready again, and tell nobody that it is paused."""
    harness = context.harness
    with _broker(harness) as connection:
        connection.flushall()
    deadline = time.monotonic() + MAX_RECOVERY_SECONDS
    paused_since = None
    while not harness.is_ready() and time.monotonic() < deadline:
        is_paused = retry_query(_shows_pause_during_build)
        paused_since = (paused_since or time.monotonic()) if is_paused else None
        if paused_since and time.monotonic() - paused_since > harness.lease:
            harness.broken_promises.append("after FLUSHALL, owners were told of a pause")
            break
        time.sleep(0.1)
    if not harness.is_ready() and time.monotonic() >= deadline:
        harness.broken_promises.append(f"not ready {MAX_RECOVERY_SECONDS} s after FLUSHALL")
    return []


def _shows_pause_during_build() -> bool:
    tasks = ExportTask.objects.unfinished()
    waiting = [task for task in tasks if task.status == Status.READY]
    return len(waiting) < len(tasks) and any(task.last_payload().get("paused") for task in waiting)


@fault(title="foreign and unreadable jobs in the queue", lane="infrastructure", weight=0.5)
def write_foreign_jobs(context: FaultContext) -> list[Claim]:
    """Write jobs as somebody with access to Redis could. None may run or block the others."""
    harness = context.harness
    with _broker(harness) as connection:
        ids = {_write_job(harness, connection, name) for name in FOREIGN_JOBS}
        _write_broken_started_jobs(connection)
        deadline = time.monotonic() + MAX_RECOVERY_SECONDS
        while (queued := harness.queued_jobs()) is None or queued & ids:
            if time.monotonic() > deadline:
                harness.broken_promises.append(f"foreign jobs remain in the queue: {queued}")
                break
            time.sleep(0.1)
    return []


def _write_job(harness: Harness, connection: Redis, name: str) -> str:
    function, fields = FOREIGN_JOBS[name]
    job_id = f"foreign-{name}-{time.time_ns()}"
    marker = harness.hook_dir / f"ran-{job_id}"
    data = json.dumps([function, None, [f"touch {marker}"], {}])
    now = utcformat(datetime.now(UTC))
    ours = {"data": data, "origin": "default", "status": "queued", "failure_ttl": "600"}
    times = {"created_at": now, "enqueued_at": now}
    for field, value in (ours | times | fields).items():
        connection.hset(f"rq:job:{job_id}", field, value)
    connection.lpush("rq:queue:default", job_id)
    return job_id


def _write_broken_started_jobs(connection: Redis) -> None:
    """Write started jobs that RQ cannot load, which the sweeper and RQ's maintenance meet."""
    for name, score in (("current", time.time() + 600), ("abandoned", 1)):
        connection.hset(f"rq:job:broken-{name}", "started_at", "yesterday")
        connection.hset(f"rq:job:broken-{name}", "status", "dancing")
        connection.zadd("rq:wip:default", {f"broken-{name}:1": score})


@fault(title="job hash deleted during a build", lane="zombies", weight=0.7)
def delete_job_hash(context: FaultContext) -> list[Claim]:
    """Delete the job of a running build. Nobody may create its hash again without a TTL."""
    target = context.harness.wait_for_claim(context.rng, Status.RUNNING)
    key = f"rq:job:{target.id}-{target.token}"
    seen = 0
    with _broker(context.harness) as connection:
        connection.delete(key)
        while retry_query(lambda: target.is_current) and seen < TIMES_SEEN:
            with suppress(RedisError):
                # RQ itself creates and deletes it at once in its own heartbeat.
                seen = seen + 1 if connection.ttl(key) == WITHOUT_TTL else 0
            time.sleep(0.1)
    if seen == TIMES_SEEN:
        context.harness.broken_promises.append(f"{key} was created again, without a TTL")
    return [target]


@contextmanager
def _broker(harness: Harness) -> Iterator[Redis]:
    """Yield a connection to the broker. Raises LookupError if it is down."""
    try:
        with harness.broker_connection() as connection:
            yield connection
    except RedisError as error:
        raise LookupError(str(error)) from error


@contextmanager
def _kept_down(harness: Harness, service: Service) -> Iterator[None]:
    """Kill a service and keep the supervisor from starting it again inside the block."""
    service.is_wanted = False
    send_signal(signal.SIGKILL, service.pid)
    harness.supervisor.wait_until_down(service.name)
    try:
        yield
    finally:
        service.is_wanted = True


# Site


@fault(title="site killed between commit and enqueue", lane="kills")
def kill_site_before_enqueue(context: FaultContext) -> list[Claim]:
    """Kill the site during the next request; see `hooks.kill_before_enqueue`."""
    trigger = context.harness.hook_dir / "kill-before-enqueue"
    killed = context.harness.hook_dir / "killed-before-enqueue"
    killed.unlink(missing_ok=True)
    trigger.touch()
    deadline = time.monotonic() + 20
    while not killed.exists():
        if time.monotonic() > deadline:
            trigger.unlink(missing_ok=True)
            raise LookupError("No export was requested.")
        time.sleep(0.02)
    task = json.loads(killed.read_text())
    return [Claim(pid=0, worker="site", state=Status.READY, id=task, token=1)]


# Database


@fault(title="database connections cut (SQLite: locked exclusively)", lane="infrastructure")
def disrupt_database(context: FaultContext) -> list[Claim]:
    database = context.harness.database
    with context.harness.outage("database"):
        retry_query(lambda: database.disrupt(lambda: context.pause(1.2)))
    return []


@fault(
    title="PostgreSQL restarted, -m immediate",
    lane="infrastructure",
    postgres_only=True,
    weight=0.8,
)
def restart_database(context: FaultContext) -> list[Claim]:
    assert isinstance(context.harness.database, Postgres)
    with context.harness.outage("database"):
        context.harness.database.restart()
    return []


@fault(
    title="PostgreSQL read-only for a moment",
    lane="infrastructure",
    postgres_only=True,
    weight=0.7,
)
def make_database_read_only(context: FaultContext) -> list[Claim]:
    """Refuse every write, as a primary does that becomes a standby."""
    assert isinstance(context.harness.database, Postgres)
    with (
        context.harness.outage("database"),
        context.harness.database.setting("default_transaction_read_only", "on"),
    ):
        context.pause(1.2)
    return []


@fault(
    title="PostgreSQL with serializable transactions",
    lane="infrastructure",
    postgres_only=True,
    weight=0.7,
)
def serialize_transactions(context: FaultContext) -> list[Claim]:
    """Make transactions fail that would conflict, in every process and at any statement."""
    assert isinstance(context.harness.database, Postgres)
    with context.harness.database.setting("default_transaction_isolation", "serializable"):
        context.pause(3)
    return []


# Mail server


def _break_mail_server(context: FaultContext, mode: str) -> list[Claim]:
    """Keep the mail server in `mode` until a mail was affected, and a while longer."""
    harness = context.harness
    faults_before = len(harness.mail_log("faults"))

    def has_affected_a_mail() -> bool:
        # A server that refuses connections sees no mail at all.
        return mode == "refuse" or len(harness.mail_log("faults")) > faults_before

    harness.set_mail_mode(mode)
    try:
        deadline = time.monotonic() + 3 * harness.lease
        while not has_affected_a_mail() and time.monotonic() < deadline:
            time.sleep(0.05)
        context.pause(0.7)
    finally:
        harness.set_mail_mode("normal")
    if not has_affected_a_mail():
        raise LookupError("No mail was sent.")
    return []


@fault(title="SMTP refusing connections", lane="mail")
def smtp_refuses(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "refuse")


@fault(title="SMTP answering 4xx", lane="mail")
def smtp_4xx(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "4xx")


@fault(title="SMTP rejecting the recipient (550)", lane="mail", weight=0.5)
def smtp_rejects(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "reject")


@fault(title="SMTP answering 554", lane="mail")
def smtp_5xx(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "5xx")


@fault(title="SMTP hanging", lane="mail")
def smtp_hangs(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "hang")


@fault(title="SMTP disconnecting after DATA, message not accepted", lane="mail")
def smtp_drops(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "drop")


@fault(title="SMTP disconnecting after DATA, message accepted", lane="mail")
def smtp_swallows(context: FaultContext) -> list[Claim]:
    return _break_mail_server(context, "swallow")


# Disk


@fault(title="disk full in the archives' folder", lane="infrastructure", weight=0.4)
def fill_disk(context: FaultContext) -> list[Claim]:
    """Fill the small disk, or simulate ENOSPC in builds where none could be mounted."""
    harness = context.harness
    mounted, simulated = harness.disk_dir / "filler", harness.hook_dir / "disk-full"
    filler = mounted if harness.is_mounted else simulated
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while harness.is_mounted:
                file.write(bytes(1 << 16))
        context.pause(0.8)
    finally:
        filler.unlink()
    return []


# Sweepers and clocks


@fault(title="sweeper killed", lane="kills")
def kill_sweeper(context: FaultContext) -> list[Claim]:
    send_signal(signal.SIGKILL, context.harness.supervisor["sweeper"].pid)
    return []


@fault(title="two sweepers", lane="zombies")
def run_two_sweepers(context: FaultContext) -> list[Claim]:
    second = context.harness.supervisor["sweeper2"]
    second.is_wanted = True
    try:
        context.harness.supervisor.wait_until_up("sweeper2")
        context.pause(2)
    finally:
        second.is_wanted = False
        send_signal(signal.SIGTERM, second.pid)
    return []


@fault(title="clock of one process a minute ahead", lane="zombies", postgres_only=True)
def skew_clock(context: FaultContext) -> list[Claim]:
    name = context.rng.choice([*WORKERS, "sweeper", "site"])
    service = context.harness.supervisor[name]
    service.extra_env = {"PYTHONPATH": str(CLOCK_DIR), "CHAOS_CLOCK": str(CLOCK_SKEW_SECONDS)}
    try:
        _restart(context.harness, service)
        context.pause(2)
    finally:
        service.extra_env = {}
        send_signal(signal.SIGTERM, service.pid)
    return []


def _restart(harness: Harness, service: Service) -> None:
    old = service.child
    send_signal(signal.SIGTERM, service.pid)
    deadline = time.monotonic() + 30
    while service.child is old and time.monotonic() < deadline:
        time.sleep(0.02)
    harness.supervisor.wait_until_up(service.name)


def select_kinds(database: str, names: list[str] | None = None) -> list[str]:
    """Return the faults that `database` supports, limited to `names` if given."""
    return [
        name
        for name, kind in FAULT_KINDS.items()
        if (database == Postgres.name or not kind.postgres_only)
        and (names is None or name in names)
    ]
