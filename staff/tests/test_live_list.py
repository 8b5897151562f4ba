import json
import uuid

import django_rq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import SimpleWorker

from exports.models import ErrorCode, ExportTask, MailStatus
from tasks import jobs

pytestmark = pytest.mark.django_db

LIST = "/admin/exports/exporttask/"


@pytest.fixture
def staff_client(client, support):
    client.force_login(support)
    return client


def list_shows(staff_client, query, task):
    return f'data-task="{task.pk}"' in staff_client.get(f"{LIST}?{query}").content.decode()


def get_cells(staff_client, *tasks):
    query = "&".join(f"task={task.pk}" for task in tasks)
    return staff_client.get(f"{LIST}live/?{query}").json()["tasks"]


def test_waiting_export_shows_queue_position(staff_client, task, bob):
    other, _ = ExportTask.objects.request(bob)
    jobs.enqueue_task(task)
    jobs.enqueue_task(other)
    cells = get_cells(staff_client, task, other)
    assert [cells[str(one.pk)]["position"] for one in (task, other)] == ["1", "2"]


def test_running_export_shows_progress_and_estimate(staff_client, task):
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(50)
    [cells] = get_cells(staff_client, task).values()
    assert (cells["state"], cells["value"], cells["rows"]) == ("Running", 25, "50 of 200 posts")
    assert cells["last_heartbeat"].endswith(" s ago")
    assert cells["estimate"] == "less than a minute"
    assert cells["worker"] == "none that RQ knows"


def test_export_list_uses_texts_of_each_kind(staff_client, alice):
    account, _ = ExportTask.objects.request(alice, "account", rows_total=5)
    assert get_cells(staff_client, account)[str(account.pk)]["rows"] == "0 of 5 entries"
    page = staff_client.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "0 of 5 entries" in page
    assert "<dd>Account</dd>" in page


def test_running_export_shows_its_worker(staff_client, task, worker, start_job):
    start_job(task)
    task.claim()
    assert get_cells(staff_client, task)[str(task.pk)]["worker"] == worker.name[:8]


def test_ended_export_shows_mail_status(staff_client, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP, tries=3)
    assert get_cells(staff_client, task)[str(task.pk)]["mail"] == "Given up (3 tries)"


def test_live_cells_read_only_with_constant_queries(staff_client, support, task, make_user):
    tasks = [ExportTask.objects.request(make_user(f"person{n}"))[0] for n in range(9)]
    for selected in ([task], [task, *tasks]):
        query = "&".join(f"task={one.pk}" for one in selected)
        with CaptureQueriesContext(connection) as queries:
            staff_client.get(f"{LIST}live/?{query}", headers={"X-Poll": "true"})
        assert len(queries) <= 8
        assert all(query["sql"].startswith("SELECT") for query in queries)


def test_live_response_names_newest_export(staff_client, task, bob):
    assert f'data-newest="{task.pk}"' in staff_client.get(LIST).content.decode()
    newer, _ = ExportTask.objects.request(bob)
    assert staff_client.get(f"{LIST}live/").json() == {"newest": str(newer.pk), "tasks": {}}


def test_export_list_works_without_broker(staff_client, task, monkeypatch):
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


def test_export_list_filters_by_state_failure_age(staff_client, task):
    assert list_shows(staff_client, "status__exact=READY&age=hour", task)
    assert not list_shows(staff_client, "age=older", task)
    assert not list_shows(staff_client, "failure=error", task)
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    assert list_shows(staff_client, "failure=error", task)
    assert not list_shows(staff_client, "failure=crashed", task)
    assert not list_shows(staff_client, "failure=mail", task)
    task.mails.update(status=MailStatus.GAVE_UP)
    assert list_shows(staff_client, "failure=mail", task)
    task.mails.update(status=MailStatus.PENDING, tries=2)
    assert list_shows(staff_client, "failure=late", task)


def test_export_list_filters_by_kind(staff_client, alice, task):
    account, _ = ExportTask.objects.request(alice, "account")
    assert list_shows(staff_client, "kind=account", account)
    assert not list_shows(staff_client, "kind=account", task)
    assert list_shows(staff_client, "kind=posts", task)
    assert list_shows(staff_client, "kind=photos", task)  # an unknown kind filters nothing


def test_export_search_finds_owner_id_and_message_id(staff_client, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
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
    assert "by operators" in client.get(f"{LIST}{task.pk}/change/").content.decode()


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


@pytest.mark.django_db(transaction=True)
def test_staff_pages_never_show_post_texts(client, operator, alice, create_posts, task):
    create_posts(alice, 3)
    jobs.enqueue_task(task)
    queue = django_rq.get_queue("default")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    client.force_login(operator)
    job = f"/admin/django_rq/dashboard/queues/0/{task.job_id}/"
    for path in (LIST, f"{LIST}{task.pk}/change/", f"{LIST}{task.pk}/history/", job):
        response = client.get(path)
        assert response.status_code == 200
        assert "Post 1" not in response.content.decode()
        assert task.archive.name not in response.content.decode() or not task.archive.name


def test_live_response_is_not_cached(staff_client, task):
    response = staff_client.get(f"{LIST}live/?task={task.pk}")
    assert "no-store" in response["Cache-Control"]
    assert json.loads(response.content)["newest"] == str(task.pk)
