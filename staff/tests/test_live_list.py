import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as RedisConnectionError

from tasks import jobs
from tasks.models import CoreError, MailStatus
from tasks.tests.models import SampleTask

from .conftest import LIST

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_client(client, support):
    client.force_login(support)
    return client


def list_shows(staff_client, query, task):
    return f'data-task="{task.pk}"' in staff_client.get(f"{LIST}?{query}").content.decode()


def get_cells(staff_client, *tasks):
    query = "&".join(f"task={task.pk}" for task in tasks)
    return staff_client.get(f"{LIST}live/?{query}").json()["tasks"]


def test_waiting_task_shows_queue_position(staff_client, task, bob):
    other, _ = SampleTask.objects.get_or_create_unfinished(bob)
    jobs.enqueue_task(task)
    jobs.enqueue_task(other)
    cells = get_cells(staff_client, task, other)
    assert [cells[str(one.pk)]["position"] for one in (task, other)] == ["1", "2"]


def test_running_task_shows_progress_and_estimate(staff_client, task):
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(50)
    [cells] = get_cells(staff_client, task).values()
    assert (cells["state"], cells["value"], cells["rows"]) == ("Running", 25, "50 of 200")
    assert cells["last_heartbeat"].endswith(" s ago")
    assert cells["estimate"] == "less than a minute"
    assert cells["worker"] == "none that RQ knows"


def test_running_task_shows_its_worker(staff_client, task, worker, start_job):
    start_job(task)
    task.claim()
    assert get_cells(staff_client, task)[str(task.pk)]["worker"] == worker.name[:8]


def test_ended_task_shows_mail_status(staff_client, task):
    task.claim()
    task.fail(CoreError.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP, tries=3)
    assert get_cells(staff_client, task)[str(task.pk)]["mail"] == "Given up (3 tries)"


def test_live_cells_read_only_with_constant_queries(staff_client, support, task, request_task):
    tasks = [request_task(f"person{n}") for n in range(9)]
    for selected in ([task], [task, *tasks]):
        query = "&".join(f"task={one.pk}" for one in selected)
        with CaptureQueriesContext(connection) as queries:
            staff_client.get(f"{LIST}live/?{query}", headers={"X-Poll": "true"})
        assert len(queries) <= 8
        assert all(query["sql"].startswith("SELECT") for query in queries)


def test_live_response_names_newest_task(staff_client, task, bob):
    assert f'data-newest="{task.pk}"' in staff_client.get(LIST).content.decode()
    newer, _ = SampleTask.objects.get_or_create_unfinished(bob)
    assert staff_client.get(f"{LIST}live/").json() == {"newest": str(newer.pk), "tasks": {}}


def test_task_list_works_without_broker(staff_client, task, monkeypatch):
    def fail(*args, **kwargs):
        raise RedisConnectionError("unreachable")

    monkeypatch.setattr("django_rq.get_queue", fail)
    assert staff_client.get(LIST).status_code == 200
    assert get_cells(staff_client, task)[str(task.pk)]["position"] == "–"


def test_invalid_live_requests_are_rejected(staff_client, task):
    assert staff_client.get(f"{LIST}live/?task=nonsense").status_code == 404
    assert staff_client.post(f"{LIST}live/").status_code == 405
    assert staff_client.get(f"{LIST}{uuid.uuid4()}/change/").status_code == 404
    assert staff_client.get(f"{LIST}nonsense/change/").status_code == 404


def test_task_list_filters_by_state_failure_age(staff_client, task):
    assert list_shows(staff_client, "status__exact=READY&age=hour", task)
    assert not list_shows(staff_client, "age=older", task)
    assert not list_shows(staff_client, "failure=error", task)
    task.claim()
    task.fail(CoreError.ERROR, "")
    assert list_shows(staff_client, "failure=error", task)
    assert not list_shows(staff_client, "failure=crashed", task)
    assert not list_shows(staff_client, "failure=mail", task)
    task.mails.update(status=MailStatus.GAVE_UP)
    assert list_shows(staff_client, "failure=mail", task)
    task.mails.update(status=MailStatus.PENDING, tries=2)
    assert list_shows(staff_client, "failure=late", task)


def test_task_search_finds_owner_id_and_message_id(staff_client, task):
    task.claim()
    task.fail(CoreError.ERROR, "")
    mail = task.mails.get()
    queries = [
        "alice",
        "alice@microblog.example",
        task.pk,
        f"<{mail.pk}@somewhere.example>",
        mail.message_id,
        mail.pk,
    ]
    for query in queries:
        assert list_shows(staff_client, f"q={query}", task), query
    for query in ("bob", uuid.uuid4(), f"<{uuid.uuid4()}@microblog.example>"):
        assert not list_shows(staff_client, f"q={query}", task), query


def test_timeline_names_the_acting_staff_user(client, operator, task):
    client.force_login(operator)
    task.cancel(operator)
    assert "by operator" in client.get(f"{LIST}{task.pk}/change/").content.decode()


def test_missing_job_is_not_linked(client, operator, task):
    client.force_login(operator)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "RQ has forgotten it" in page
    assert "/queues/0/" not in page


def test_support_sees_job_id_without_link(staff_client, task):
    jobs.enqueue_task(task)
    page = staff_client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert task.job_id in page
    assert "/queues/0/" not in page


def test_live_response_is_not_cached(staff_client, task):
    response = staff_client.get(f"{LIST}live/?task={task.pk}")
    assert "no-store" in response["Cache-Control"]
    assert json.loads(response.content)["newest"] == str(task.pk)
