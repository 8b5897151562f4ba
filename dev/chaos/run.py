"""One run: faults at seeded moments, in lanes that overlap, until as many as were asked for have happened."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from traceback import format_exc

from exports.models import ExportMail, ExportTask

from .accounts import Crowd, make
from .databases import patient
from .faults import KINDS, Scene
from .hooks import POISON
from .oracle import Injection, Oracle, Verdict
from .watch import Watcher
from .world import World

POISONED = 6
BREATHS = {
    "kills": (3, 9),
    "zombies": (1, 4),
    "ground": (4, 8),
    "mail": (1, 4),
}  # seconds before each fault of a lane
TRIES = 5  # to find somebody in the middle of work

logger = logging.getLogger(__name__)


def plan(number: int, kinds: list[str], rng: random.Random) -> dict[str, list[str]]:
    """`number` faults, each kind at least once where that is possible, by lane, in random order."""
    weights = [KINDS[name].share for name in kinds]
    names = rng.sample(kinds, min(number, len(kinds)))
    names += rng.choices(kinds, weights, k=number - len(names))
    rng.shuffle(names)
    lanes: dict[str, list[str]] = {}
    for name in names:
        lanes.setdefault(KINDS[name].lane, []).append(name)
    return lanes


@dataclass
class Run:
    world: World
    seed: int
    say: Callable[[str], None] = print
    injections: list[Injection] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311
        self.watcher = Watcher(self.world, self.say)
        self.planned: set[str] = set()
        self._ending = threading.Event()

    def go(self, number: int, kinds: list[str], accounts: int) -> Verdict:
        lanes = plan(number, kinds, self.rng)
        self.planned = {name for names in lanes.values() for name in names}
        names = [f"chaos{n:02}" for n in range(accounts)] + [
            f"{POISON}{n}" for n in range(POISONED)
        ]
        self.crowd = Crowd(make(names, self.world.env["SITE_URL"], self.rng), self.seed)
        threads = [
            threading.Thread(target=self._lane, args=lane, daemon=True) for lane in lanes.items()
        ]
        self.watcher.start()
        self.crowd.start()
        try:
            for thread in threads:
                thread.start()
            self._await(threads, number)
            self.crowd.stop()
            self._settle()
        finally:
            self._ending.set()
            self.watcher.stop()
        return self.judge()

    def judge(self) -> Verdict:
        patient(lambda: self.world.stack.run("sweeper", "--once"))
        return Oracle(self.world, self.crowd.accepted, self.injections, self.watcher).judge()

    def _await(self, threads: list[threading.Thread], number: int) -> None:
        told = 0
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if self.errors:
                raise RuntimeError(self.errors[0])
            if len(self.injections) >= told + 20:
                told = len(self.injections)
                accepted = len(self.crowd.accepted)
                self.say(
                    f"  {told} of {number} faults, {accepted} requests accepted, {len(self.watcher.stuck)} stuck"
                )

    def _lane(self, lane: str, names: list[str]) -> None:
        rng = random.Random(f"{self.seed} {lane}")  # noqa: S311
        scene = Scene(self.world, self.crowd, rng)
        for name in names:
            if self._ending.wait(rng.uniform(*BREATHS[lane])):
                return
            try:
                self._inject(name, scene)
            except Exception:
                self.errors.append(f"{name}:\n{format_exc()}")
                return

    def _inject(self, name: str, scene: Scene) -> None:
        for attempt in range(TRIES):
            began = time.time()
            try:
                hits = KINDS[name].inject(scene)
            except LookupError as error:
                logger.warning("%s, try %d: %s", name, attempt + 1, error)
                if self._ending.wait(1):
                    return
            else:
                self.injections.append(Injection(name, began, time.time(), hits))
                return

    def _settle(self) -> None:
        """Wait until every export is over and every mail out, or until those that are not are stuck."""
        deadline = time.monotonic() + 20 + 8 * self.world.lease
        while time.monotonic() < deadline:
            open_rows = patient(unfinished_rows)
            if open_rows <= self.watcher.stuck.keys():  # type: ignore[operator]
                return
            time.sleep(0.2)


def unfinished_rows() -> set[str]:
    return {
        str(pk)
        for rows in (ExportTask.objects.unfinished(), ExportMail.objects.pending())
        for pk in rows.values_list("pk", flat=True)
    }
