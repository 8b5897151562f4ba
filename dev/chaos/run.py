"""Run of the suite: parallel lanes of faults at random moments, under load, then the verdict."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from traceback import format_exc

from .accounts import LEAVER_PREFIX, LoadGenerator, create_accounts
from .databases import retry_query
from .faults import FAULT_KINDS, FaultContext
from .harness import Harness, unfinished_rows
from .hooks import POISON_PREFIX
from .oracle import Injection, Oracle, Verdict
from .watcher import Watcher

POISON_ACCOUNTS = 6
FAULTS_PER_DELETION = 4
# Minimum and maximum pause in seconds before each fault of a lane.
LANE_PAUSES = {
    "kills": (3, 9),
    "zombies": (1, 4),
    "infrastructure": (4, 8),
    "mail": (1, 4),
}
MAX_TRIES = 5  # to find a process in the middle of work
PROGRESS_INTERVAL = 20  # faults

logger = logging.getLogger(__name__)


def plan_lanes(number: int, kinds: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Return `number` faults by lane in random order, each kind at least once if possible."""
    weights = [FAULT_KINDS[name].weight for name in kinds]
    names = rng.sample(kinds, min(number, len(kinds)))
    names += rng.choices(kinds, weights, k=number - len(names))
    rng.shuffle(names)
    lanes: dict[str, list[str]] = {}
    for name in names:
        lanes.setdefault(FAULT_KINDS[name].lane, []).append(name)
    return lanes


@dataclass
class Run:
    harness: Harness
    seed: int
    print_line: Callable[[str], None] = print
    injections: list[Injection] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - repeatable
        self.watcher = Watcher(self.harness, self.print_line)
        self.planned: set[str] = set()
        self._stopping = threading.Event()

    def execute(self, number: int, kinds: list[str], accounts: int) -> Verdict:
        """Inject `number` faults of these kinds while `accounts` users export."""
        lanes = plan_lanes(number, kinds, self.rng)
        self.planned = {name for names in lanes.values() for name in names}
        usernames = [f"chaos{n:02}" for n in range(accounts)]
        usernames += [f"{POISON_PREFIX}{n}" for n in range(POISON_ACCOUNTS)]
        # Leavers know only each other: a deletion changes the archives of their acquaintances.
        leavers = [f"{LEAVER_PREFIX}{n}" for n in range(number // FAULTS_PER_DELETION)]
        site_url = self.harness.env["SITE_URL"]
        self.load = LoadGenerator(
            [
                *create_accounts(usernames, site_url, self.rng),
                *create_accounts(leavers, site_url, self.rng),
            ],
            self.seed,
        )
        threads = [
            threading.Thread(target=self._run_lane, args=lane, daemon=True)
            for lane in lanes.items()
        ]
        self.watcher.start()
        self.load.start()
        try:
            for thread in threads:
                thread.start()
            self._wait_for_lanes(threads, number)
            self.load.stop()
            self._wait_for_exports()
        finally:
            self._stopping.set()
            self.watcher.stop()
        return self._judge()

    def _judge(self) -> Verdict:
        retry_query(lambda: self.harness.stack.run("sweeper", "--once"))
        return Oracle(self.harness, self.load, self.injections, self.watcher).judge()

    def _wait_for_lanes(self, threads: list[threading.Thread], number: int) -> None:
        reported = 0
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if self.errors:
                raise RuntimeError(self.errors[0])
            if len(self.injections) >= reported + PROGRESS_INTERVAL:
                reported = len(self.injections)
                self.print_line(
                    f"  {reported} of {number} faults, {len(self.load.accepted)} requests "
                    f"accepted, {len(self.watcher.stuck)} stuck"
                )

    def _run_lane(self, lane: str, names: list[str]) -> None:
        rng = random.Random(f"{self.seed} {lane}")  # noqa: S311 - repeatable
        context = FaultContext(self.harness, self.load, rng)
        for name in names:
            if self._stopping.wait(rng.uniform(*LANE_PAUSES[lane])):
                return
            try:
                self._inject(name, context)
            except Exception:
                self.errors.append(f"{name}:\n{format_exc()}")
                return

    def _inject(self, name: str, context: FaultContext) -> None:
        for attempt in range(MAX_TRIES):
            started = time.time()
            try:
                hits = FAULT_KINDS[name].inject(context)
            except LookupError as error:
                logger.warning("%s, try %d: %s", name, attempt + 1, error)
                if self._stopping.wait(1):
                    return
            else:
                self.injections.append(Injection(name, started, time.time(), hits))
                return

    def _wait_for_exports(self) -> None:
        """Wait until all exports and mails are finished or stuck."""
        deadline = time.monotonic() + 20 + 8 * self.harness.lease
        while time.monotonic() < deadline:
            if retry_query(unfinished_ids) <= self.watcher.stuck.keys():
                return
            time.sleep(0.2)


def unfinished_ids() -> set[str]:
    return {str(row.pk) for row in unfinished_rows()}
