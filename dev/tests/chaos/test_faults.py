"""Each kind of fault, alone: one export, one fault in the middle of it, and what becomes of both."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.core.management import call_command
from django.db import connection

from conftest import database_url
from dev.chaos import accounts
from dev.chaos.accounts import Account, Crowd
from dev.chaos.databases import Postgres, SQLite, patient
from dev.chaos.faults import KINDS, Scene
from dev.chaos.hooks import POISON
from dev.chaos.oracle import Injection, Oracle, Verdict
from dev.chaos.run import unfinished_rows
from dev.chaos.watch import Watcher
from dev.chaos.world import World
from exports.models import ErrorCode, Event, ExportTask, Status

pytestmark = pytest.mark.chaos

POSTS = (180, 180)  # 0.6 seconds
SECONDS = 40
MISSED_SECONDS = 4  # an export that has been over for so long was not the one that was hit


@pytest.fixture(scope="module")
def scene(
    django_db_setup: None,
    django_db_blocker: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    """One running stack for all of these tests, with leases of two seconds."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        database = (
            SQLite(database_url())
            if connection.vendor == "sqlite"
            else Postgres.running(database_url())
        )
        with World(tmp_path_factory.mktemp("chaos"), database, lease=2) as world:
            people = accounts.make(
                ["ada", "ben", f"{POISON}1"], world.env["SITE_URL"], random.Random(1), POSTS
            )
            yield Scene(world, Crowd(people, 1), random.Random(1))
        patient(lambda: call_command("flush", verbosity=0, interactive=False))


class Story:
    """What became of the exports while a fault happened."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.name = name
        self.injections: list[Injection] = []
        self.tasks: list[ExportTask] = []

    def ask(self, person: Account) -> ExportTask:
        """Keep asking until the site takes the request, as people do."""
        deadline = time.monotonic() + SECONDS
        while (pk := self.scene.crowd.ask(person)) is None:
            assert time.monotonic() < deadline, "The site takes no requests."
            time.sleep(0.1)
        task: ExportTask = patient(lambda: ExportTask.objects.get(pk=pk))  # type: ignore[assignment]
        self.tasks.append(task)
        return task

    def inject(self) -> None:
        began = time.time()
        hits = KINDS[self.name].inject(self.scene)
        self.injections.append(Injection(self.name, began, time.time(), hits))

    def wait_for_end(self) -> None:
        deadline = time.monotonic() + SECONDS
        while left := patient(unfinished_rows):
            assert time.monotonic() < deadline, f"Not over after {SECONDS} seconds: {left}"
            time.sleep(0.05)

    def end(self) -> Verdict:
        """Wait until everything is over and swept up, and have it judged."""
        self.wait_for_end()
        deadline = time.monotonic() + SECONDS
        while any((self.scene.world.disk / "parts").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for task in self.tasks:
            task.refresh_from_db()
        oracle = Oracle(
            self.scene.world, self.scene.crowd.accepted, self.injections, Watcher(self.scene.world)
        )
        verdict = oracle.judge(str(task.pk) for task in self.tasks)
        forbidden = {what: found for what, found in verdict.forbidden.items() if found}
        assert forbidden == {}
        return verdict


def aimed(scene: Scene, name: str) -> tuple[ExportTask, Verdict]:
    """An export that is asked for while the fault lies in wait for it."""
    story = Story(scene, name)
    with ThreadPoolExecutor() as pool:
        fault = pool.submit(story.inject)
        time.sleep(0.1)
        while not fault.done():
            task = story.ask(scene.crowd.ordinary[0])
            story.wait_for_end()
            wait([fault], timeout=MISSED_SECONDS)
        fault.result()
    return task, story.end()


def before_it_is_queued(scene: Scene) -> tuple[ExportTask, Verdict]:
    """The export that was committed when the site was killed; nobody got an answer, so they may have asked again."""
    story = Story(scene, "kill_site_before_enqueue")
    with ThreadPoolExecutor() as pool:
        fault = pool.submit(story.inject)
        time.sleep(0.1)
        story.ask(scene.crowd.ordinary[0])
        fault.result()
    [hit] = story.injections[0].hits
    story.tasks = [ExportTask.objects.get(pk=hit.id)]
    return story.tasks[0], story.end()


def midway(scene: Scene, name: str) -> tuple[ExportTask, Verdict]:
    """An export that is being built when the fault happens."""
    story = Story(scene, name)
    task = story.ask(scene.crowd.ordinary[0])
    deadline = time.monotonic() + SECONDS
    while task.status == Status.READY:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        task.refresh_from_db()
    story.inject()
    return task, story.end()


def crashes_of(task: ExportTask) -> int:
    return task.events.filter(kind=Event.RESCUED).count()


@pytest.mark.parametrize("name", ["kill_work_horse", "kill_worker", "kill_both", "terminate_group"])
def test_a_killed_worker_costs_one_try(scene, name):
    task, verdict = aimed(scene, name)
    assert verdict.delivered == [str(task.pk)]
    assert task.crashes == crashes_of(task) <= 1


def test_a_work_horse_that_lost_its_worker_ends_its_export(scene):
    task, verdict = aimed(scene, "kill_parent_only")
    assert verdict.delivered == [str(task.pk)]
    assert task.crashes == 0


def test_a_builder_that_was_frozen_past_its_lease_changes_nothing(scene):
    task, verdict = aimed(scene, "freeze_building")
    assert verdict.delivered == [str(task.pk)]
    assert (task.attempt, task.crashes) == (2, 1)


def test_a_sender_that_was_frozen_past_its_lease_repeats_a_mail_at_most(scene):
    task, verdict = aimed(scene, "freeze_mailing")
    assert verdict.delivered == [str(task.pk)]
    assert task.events.filter(kind=Event.MAILED).count() == 1
    assert task.events.filter(kind=Event.BUILT).count() == 1


def test_a_build_that_kills_its_process_every_time_fails_and_is_told(scene):
    story = Story(scene, "poison")
    story.tasks.append(story.ask(scene.crowd.poisoned[0]))
    verdict = story.end()
    [task, _] = story.tasks
    assert (task.status, task.error_code, task.crashes) == (Status.FAILED, ErrorCode.CRASHED, 3)
    assert len(verdict.failed) == 1


@pytest.mark.parametrize("name", ["empty_broker", "lose_broker", "hang_broker"])
def test_trouble_with_the_broker_loses_nothing(scene, name):
    task, verdict = midway(scene, name)
    assert verdict.delivered == [str(task.pk)]


def test_a_request_that_was_committed_and_never_enqueued_is_delivered(scene):
    task, verdict = before_it_is_queued(scene)
    assert verdict.delivered == [str(task.pk)]
    assert task.events.filter(kind=Event.REQUEUED).exists()


@pytest.mark.postgres
def test_connections_that_are_cut_cost_a_try_at_most(scene):
    task, verdict = midway(scene, "cut_connections")
    assert verdict.delivered == [str(task.pk)]


def test_a_database_that_another_process_locks_is_waited_for(scene):
    task, verdict = midway(scene, "cut_connections")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.postgres
def test_a_database_that_crashes_and_recovers_costs_a_try_at_most(scene):
    if not scene.world.database.is_ours:
        pytest.skip("The PostgreSQL of TEST_DATABASE_URL is not ours to restart.")
    task, verdict = midway(scene, "restart_database")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.parametrize(
    "name", ["smtp_refuses", "smtp_4xx", "smtp_5xx", "smtp_hangs", "smtp_drops"]
)
def test_a_mail_server_that_takes_nothing_is_tried_again(scene, name):
    task, verdict = aimed(scene, name)
    assert verdict.delivered == [str(task.pk)]
    assert verdict.duplicates == []
    assert task.attempt == 1


def test_a_mail_that_was_taken_without_an_answer_is_repeated_under_the_same_message_id(scene):
    task, verdict = aimed(scene, "smtp_swallows")
    assert verdict.delivered == [str(task.pk)]
    assert len(verdict.duplicates) >= 1
    assert "never answered" in verdict.duplicates[0]


def test_a_disk_that_is_full_for_a_while_costs_a_try(scene):
    task, verdict = midway(scene, "fill_disk")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.parametrize("name", ["kill_sweeper", "two_sweepers"])
def test_one_sweeper_less_or_more_does_no_harm(scene, name):
    task, verdict = midway(scene, name)
    assert verdict.delivered == [str(task.pk)]
    assert task.attempt == 1


@pytest.mark.postgres
def test_a_clock_that_is_a_minute_ahead_does_no_harm(scene):
    task, verdict = midway(scene, "clock_ahead")
    assert verdict.delivered == [str(task.pk)]
