import django_rq
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import RedisError

from tasks import jobs
from tasks.models import Status, TaskEventKind
from tasks.tests.models import SampleTask

from .conftest import LIST

pytestmark = pytest.mark.django_db


@pytest.fixture
def run_action(client, operator):
    client.force_login(operator)

    def post(name, *tasks):
        keys = {"task": [str(task.pk) for task in tasks]}
        return client.post(f"{LIST}act/{name}/", keys, follow=True).content.decode()

    return post


def job_ids():
    return django_rq.get_queue("default").get_job_ids()


def assert_last_event(task, kind, actor):
    event = task.events.last()
    assert (event.kind, event.actor) == (kind, actor)


def test_confirmation_page_changes_nothing(client, operator, task):
    client.force_login(operator)
    page = client.get(f"{LIST}act/cancel/?task={task.pk}").content.decode()
    assert "The work stops" in page
    assert "Sample task of alice" in page
    task.refresh_from_db()
    assert task.status == Status.READY
    assert not LogEntry.objects.exists()


def test_cancel_action_records_its_actor(run_action, task, operator):
    jobs.enqueue_task(task)
    assert "Cancel: done for 1 task." in run_action("cancel", task)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert_last_event(task, TaskEventKind.CANCELLED, operator)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (
        operator,
        str(task.pk),
        "Cancelled.",
    )
    assert job_ids() == []


def test_ended_task_cannot_be_cancelled(run_action, task):
    task.cancel()
    assert "was not changed" in run_action("cancel", task)
    assert not LogEntry.objects.exists()


def test_rescue_takes_task_from_its_worker(run_action, task, operator):
    task.claim()
    run_action("rescue", task)
    rescued = SampleTask.objects.get()
    assert (rescued.status, rescued.attempt, rescued.crashes) == (Status.READY, 2, 0)
    assert_last_event(task, TaskEventKind.RESCUED, operator)
    assert job_ids() == [rescued.job_id]
    assert not task.renew(1)  # the old worker lost its lease


def test_rescue_enqueues_new_job_for_waiting_task(run_action, task):
    jobs.enqueue_task(task)
    run_action("rescue", task)
    assert job_ids() == [f"{task.pk}-2"]


def test_several_tasks_are_confirmed_together(client, run_action, operator, task, bob):
    other, _ = SampleTask.objects.get_or_create_unfinished(bob)
    form = {"action": "cancel", "_selected_action": [str(task.pk), str(other.pk)]}
    response = client.post(LIST, form)
    assert response.url.startswith(f"{LIST}act/cancel/?task=")
    assert client.get(response.url).content.decode().count('name="task"') == 2
    assert "done for 2 tasks" in run_action("cancel", task, other)


@pytest.mark.parametrize(
    "query", ["", "?task=nonsense", "?task=00000000-0000-4000-8000-000000000000"]
)
def test_invalid_action_or_selection_is_not_found(client, operator, query):
    client.force_login(operator)
    assert client.get(f"{LIST}act/cancel/{query}").status_code == 404
    assert client.get(f"{LIST}act/explode/{query}").status_code == 404


def test_cancel_works_without_broker_and_tries_once(run_action, task, bob, monkeypatch):
    calls = []

    def fail(queue, job_id):
        calls.append(job_id)
        raise RedisError("unreachable")

    monkeypatch.setattr("rq.Queue.remove", fail)
    other, _ = SampleTask.objects.get_or_create_unfinished(bob)
    assert "done for 2 tasks" in run_action("cancel", task, other)
    assert len(calls) == 1
    assert set(SampleTask.objects.values_list("status", flat=True)) == {Status.CANCELLED}


def test_confirmation_page_query_count_is_constant(client, operator, request_task, task):
    client.force_login(operator)
    tasks = [task, *(request_task(f"person{n}") for n in range(9))]
    # The first request also updates `last_seen_at`.
    client.get(f"{LIST}act/cancel/", {"task": task.pk})
    counts = []
    for selected in (tasks[:1], tasks):
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{LIST}act/cancel/", {"task": [task.pk for task in selected]})
        counts.append(len(queries))
    assert counts[0] == counts[1]
