"""Each fault alone: one export, one fault in the middle of it, and the outcome."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ClassVar

import pytest
from django.core.management import call_command
from django.db import connection, connections

from blog.models import AccountDeletion
from conftest import database_url
from dev.chaos.accounts import LEAVER_PREFIX, Account, LoadGenerator, create_accounts
from dev.chaos.databases import Postgres, SQLite, retry_query
from dev.chaos.faults import FAULT_KINDS, FaultContext
from dev.chaos.harness import Harness
from dev.chaos.hooks import POISON_PREFIX
from dev.chaos.oracle import Injection, Oracle, Verdict
from dev.chaos.run import unfinished_ids
from dev.chaos.watcher import Watcher
from exports.models import ErrorCode, Event, ExportTask, Status

pytestmark = pytest.mark.chaos

POST_RANGE = (180, 180)  # takes 0.6 seconds
MAX_SECONDS = 40
# After an export, wait this long for its fault before the next export is requested.
MISSED_SECONDS = 4


@pytest.fixture(scope="module")
def context(
    django_db_setup: None,
    django_db_blocker: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[FaultContext]:
    """Start a stack for all tests of this module, with leases of two seconds."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        url = database_url()
        database = SQLite(url) if connection.vendor == "sqlite" else Postgres.attach(url)
        with Harness(tmp_path_factory.mktemp("chaos"), database, lease=2) as harness:
            # The suite looks at all tasks, and this process has one that the stack does not have.
            call_command("migrate", verbosity=0, run_syncdb=True)
            names = ["ada", "ben", f"{POISON_PREFIX}1"]
            rng = random.Random(1)
            accounts = create_accounts(names, harness.env["SITE_URL"], rng, POST_RANGE)
            yield FaultContext(harness, LoadGenerator(accounts, 1), random.Random(1))
        retry_query(lambda: call_command("flush", verbosity=0, interactive=False))


class Scenario:
    """A fault, the exports requested around it, and their outcome."""

    all_injections: ClassVar[list[Injection]] = []
    """Those of all scenarios: every scenario judges all deletions so far."""

    def __init__(self, context: FaultContext, fault: str) -> None:
        self.context = context
        self.fault = fault
        self.injections: list[Injection] = []
        self.tasks: list[ExportTask] = []

    def request_export(self, account: Account) -> ExportTask:
        """Repeat the request until the site accepts it, as users do."""
        deadline = time.monotonic() + MAX_SECONDS
        while (pk := self.context.load.request_export(account)) is None:
            assert time.monotonic() < deadline, "The site accepts no requests."
            time.sleep(0.1)
        task = retry_query(lambda: ExportTask.objects.get(pk=pk))
        self.tasks.append(task)
        return task

    def inject(self) -> None:
        started = time.time()
        hits = FAULT_KINDS[self.fault].inject(self.context)
        self.injections.append(Injection(self.fault, started, time.time(), hits))
        self.all_injections.append(self.injections[-1])

    def wait_for_exports(self) -> None:
        deadline = time.monotonic() + MAX_SECONDS
        while unfinished := retry_query(unfinished_ids):
            assert time.monotonic() < deadline, f"Unfinished after {MAX_SECONDS} s: {unfinished}"
            time.sleep(0.05)

    def judge(self) -> Verdict:
        """Wait until everything is finished and cleaned up, and assert that nothing is violated."""
        self.wait_for_exports()
        harness = self.context.harness
        deadline = time.monotonic() + MAX_SECONDS
        while any((harness.disk_dir / "parts").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for task in self.tasks:
            task.refresh_from_db()
        verdict = self._judge()
        if verdict.leftover_files:
            # An archive whose task could not be finished is left until the hourly pruning.
            harness.stack.run("sweeper", "--once")
            verdict = self._judge()
        violations = {title: found for title, found in verdict.violations.items() if found}
        assert violations == {}
        mails = {str(mail.pk) for task in self.tasks for mail in task.mails.all()}
        verdict.duplicates = [text for text in verdict.duplicates if text.split()[0] in mails]
        return verdict

    def _judge(self) -> Verdict:
        harness = self.context.harness
        oracle = Oracle(harness, self.context.load, self.all_injections, Watcher(harness))
        return oracle.judge(str(task.pk) for task in self.tasks)


def inject_in_thread(scenario: Scenario) -> None:
    """Inject the fault in a thread of its own, whose database connection ends with it."""
    try:
        scenario.inject()
    finally:
        connections.close_all()


def export_until_hit(context: FaultContext, fault: str) -> tuple[ExportTask, Verdict]:
    """Request exports until the fault, which waits for a process at work, has hit one."""
    scenario = Scenario(context, fault)
    with ThreadPoolExecutor() as pool:
        injection = pool.submit(inject_in_thread, scenario)
        time.sleep(0.1)
        while not injection.done():
            task = scenario.request_export(context.load.accounts[0])
            scenario.wait_for_exports()
            wait([injection], timeout=MISSED_SECONDS)
        injection.result()
    return task, scenario.judge()


def export_with_lost_enqueue(context: FaultContext) -> tuple[ExportTask, Verdict]:
    """Return the export that was committed when the site was killed.

    The client got no response, so it may have requested another export.
    """
    scenario = Scenario(context, "kill_site_before_enqueue")
    with ThreadPoolExecutor() as pool:
        injection = pool.submit(inject_in_thread, scenario)
        time.sleep(0.1)
        scenario.request_export(context.load.accounts[0])
        injection.result()
    [hit] = scenario.injections[0].hits
    scenario.tasks = [ExportTask.objects.get(pk=hit.id)]
    return scenario.tasks[0], scenario.judge()


def export_during(context: FaultContext, fault: str) -> tuple[ExportTask, Verdict]:
    """Return an export whose build was running when the fault happened."""
    scenario = Scenario(context, fault)
    task = scenario.request_export(context.load.accounts[0])
    deadline = time.monotonic() + MAX_SECONDS
    while task.status == Status.READY:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        task.refresh_from_db()
    scenario.inject()
    return task, scenario.judge()


def delete_during(context: FaultContext, fault: str) -> AccountDeletion:
    """Return the deletion of an account, judged, that was running when the fault happened."""
    scenario = Scenario(context, fault)
    name = f"{LEAVER_PREFIX}{len(context.load.deleted)}"
    site_url = context.harness.env["SITE_URL"]
    [leaver] = create_accounts([name], site_url, random.Random(1), POST_RANGE)
    deadline = time.monotonic() + MAX_SECONDS
    with ThreadPoolExecutor() as pool:
        is_kill = FAULT_KINDS[fault].is_kill
        injection = pool.submit(inject_in_thread, scenario) if is_kill else None
        time.sleep(0.1)
        while not context.load.delete_account(leaver):
            assert time.monotonic() < deadline, "The site does not close the account."
            time.sleep(0.1)
        task = AccountDeletion.objects.order_by("created_at").last()
        assert task is not None
        if injection is None:
            scenario.inject()
        else:
            injection.result()
    scenario.judge()
    task.refresh_from_db()
    return task


@pytest.mark.parametrize(
    "fault",
    ["kill_work_horse", "kill_worker", "kill_worker_and_work_horse", "terminate_worker_group"],
)
def test_killed_worker_costs_one_crash(context, fault):
    task, verdict = export_until_hit(context, fault)
    assert verdict.delivered == [str(task.pk)]
    assert task.crashes == task.events.filter(kind=Event.RESCUED).count() <= 1


def test_orphaned_work_horse_finishes_its_export(context):
    task, verdict = export_until_hit(context, "orphan_work_horse")
    assert verdict.delivered == [str(task.pk)]
    assert task.crashes == 0


def test_builder_frozen_past_lease_changes_nothing(context):
    task, verdict = export_until_hit(context, "freeze_build")
    assert verdict.delivered == [str(task.pk)]
    assert (task.attempt, task.crashes) == (2, 1)


def test_sender_frozen_past_lease_repeats_mail_only(context):
    task, verdict = export_until_hit(context, "freeze_delivery")
    assert verdict.delivered == [str(task.pk)]
    assert task.events.filter(kind=Event.MAILED).count() == 1
    assert task.events.filter(kind=Event.FINISHED).count() == 1


def test_build_that_always_crashes_fails_and_notifies(context):
    scenario = Scenario(context, "poison")
    scenario.tasks.append(scenario.request_export(context.load.poison_accounts[0]))
    verdict = scenario.judge()
    [task, _] = scenario.tasks
    assert (task.status, task.error_code, task.crashes) == (Status.FAILED, ErrorCode.CRASHED, 3)
    assert len(verdict.failed) == 1


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "fault", ["kill_work_horse", "kill_worker_and_work_horse", "freeze_build", "orphan_work_horse"]
)
def test_deletion_ends_once_despite_dead_worker(context, fault):
    task = delete_during(context, fault)
    assert task.status == Status.SUCCESSFUL
    assert task.crashes == task.events.filter(kind=Event.RESCUED).count() <= 1


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", ["empty_broker", "disrupt_database", "smtp_4xx"])
def test_deletion_ends_once_despite_outage(context, fault):
    assert delete_during(context, fault).status == Status.SUCCESSFUL


@pytest.mark.parametrize("fault", ["write_foreign_jobs", "delete_job_hash", "flush_broker"])
def test_damaged_queue_loses_no_export(context, fault):
    if fault == "delete_job_hash":
        task, verdict = export_until_hit(context, fault)
    else:
        task, verdict = export_during(context, fault)
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.parametrize("fault", ["empty_broker", "stop_broker", "freeze_broker"])
def test_broker_outage_loses_no_export(context, fault):
    task, verdict = export_during(context, fault)
    assert verdict.delivered == [str(task.pk)]


def test_committed_request_without_enqueue_is_delivered(context):
    task, verdict = export_with_lost_enqueue(context)
    assert verdict.delivered == [str(task.pk)]
    assert task.events.filter(kind=Event.REQUEUED).exists()


@pytest.mark.postgres
def test_cut_database_connections_lose_no_export(context):
    task, verdict = export_during(context, "disrupt_database")
    assert verdict.delivered == [str(task.pk)]


def test_locked_database_delays_export(context):
    task, verdict = export_during(context, "disrupt_database")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.postgres
def test_database_crash_loses_no_export(context):
    if not context.harness.database.is_restartable:
        pytest.skip("The PostgreSQL of TEST_DATABASE_URL cannot be restarted by the test.")
    task, verdict = export_during(context, "restart_database")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.postgres
@pytest.mark.parametrize("fault", ["make_database_read_only", "serialize_transactions"])
def test_changed_server_settings_lose_no_export(context, fault):
    if not context.harness.database.is_restartable:
        pytest.skip("The settings of the PostgreSQL of TEST_DATABASE_URL are not the test's.")
    task, verdict = export_during(context, fault)
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.parametrize(
    "fault", ["smtp_refuses", "smtp_4xx", "smtp_5xx", "smtp_hangs", "smtp_drops"]
)
def test_mail_server_failure_retries_mail_only(context, fault):
    task, verdict = export_until_hit(context, fault)
    assert verdict.delivered == [str(task.pk)]
    assert verdict.duplicates == []
    assert task.attempt == 1


def test_rejected_mail_is_given_up_at_once(context):
    task, verdict = export_until_hit(context, "smtp_rejects")
    assert verdict.delivered == []
    assert len(verdict.gave_up) == 1
    assert task.mails.get().tries == 1


def test_unanswered_mail_is_repeated_with_same_message_id(context):
    task, verdict = export_until_hit(context, "smtp_swallows")
    assert verdict.delivered == [str(task.pk)]
    assert len(verdict.duplicates) >= 1
    assert "accepted without an answer" in verdict.duplicates[0]


def test_temporarily_full_disk_loses_no_export(context):
    task, verdict = export_during(context, "fill_disk")
    assert verdict.delivered == [str(task.pk)]


@pytest.mark.parametrize("fault", ["kill_sweeper", "run_two_sweepers"])
def test_missing_or_second_sweeper_is_harmless(context, fault):
    task, verdict = export_during(context, fault)
    assert verdict.delivered == [str(task.pk)]
    assert task.attempt == 1


@pytest.mark.postgres
def test_clock_a_minute_ahead_is_harmless(context):
    task, verdict = export_during(context, "skew_clock")
    assert verdict.delivered == [str(task.pk)]
