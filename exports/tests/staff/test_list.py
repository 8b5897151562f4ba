import json
import uuid

import django_rq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exports import jobs
from exports.models import ErrorCode, ExportTask, MailStatus

pytestmark = pytest.mark.django_db

LIST = "/admin/exports/exporttask/"


@pytest.fixture
def desk(client, support):
    client.force_login(support)
    return client


def shows(desk, query, task):
    return f'data-task="{task.pk}"' in desk.get(f"{LIST}?{query}").content.decode()


def ask(desk, *tasks):
    query = "&".join(f"task={task.pk}" for task in tasks)
    return desk.get(f"{LIST}live/?{query}").json()["tasks"]


def test_a_waiting_export_has_its_place(desk, task, bob):
    other, _ = ExportTask.objects.request(bob.pk)
    jobs.enqueue_export(task)
    jobs.enqueue_export(other)
    cells = ask(desk, task, other)
    assert [cells[str(one.pk)]["place"] for one in (task, other)] == ["1", "2"]


def test_a_running_one_has_progress_heartbeat_and_estimate(desk, task):
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(50)
    [cells] = ask(desk, task).values()
    assert (cells["state"], cells["value"], cells["rows"]) == ("Being built", 25, "50 of 200 posts")
    assert cells["heard"].endswith(" s ago")
    assert cells["estimate"] == "less than a minute"
    assert cells["worker"] == "none that RQ knows"


def test_each_kind_is_spoken_of_in_its_own_words(desk, alice):
    account, _ = ExportTask.objects.request(alice.pk, "account", rows_total=5)
    assert ask(desk, account)[str(account.pk)]["rows"] == "0 of 5 entries"
    page = desk.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "0 of 5 entries" in page
    assert "<dd>Account</dd>" in page


def test_its_worker_is_named(desk, task, worker, start_job):
    start_job(task)
    task.claim()
    assert ask(desk, task)[str(task.pk)]["worker"] == worker.name[:8]


def test_an_ended_one_tells_what_became_of_its_mail(desk, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP, tries=3)
    assert ask(desk, task)[str(task.pk)]["mail"] == "Given up (3 tries)"


def test_asking_writes_nothing_and_costs_the_same_for_many(desk, support, task, make_user):
    tasks = [ExportTask.objects.request(make_user(f"person{n}").pk)[0] for n in range(9)]
    for chosen in ([task], [task, *tasks]):
        query = "&".join(f"task={one.pk}" for one in chosen)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            desk.get(f"{LIST}live/?{query}", headers={"X-Poll": "true"})
        assert len(queries) <= 8
        assert all(query["sql"].startswith("SELECT") for query in queries)


def test_a_newer_export_is_heard_of(desk, task, bob):
    assert f'data-newest="{task.pk}"' in desk.get(LIST).content.decode()
    newer, _ = ExportTask.objects.request(bob.pk)
    assert desk.get(f"{LIST}live/").json() == {"newest": str(newer.pk), "tasks": {}}


def test_without_the_broker_the_list_still_opens(desk, task, monkeypatch):
    from redis.exceptions import ConnectionError as Away

    def away(*args, **kwargs):
        raise Away("away")

    monkeypatch.setattr("django_rq.get_queue", away)
    assert desk.get(LIST).status_code == 200
    assert ask(desk, task)[str(task.pk)]["place"] == "–"


def test_bad_questions_are_refused(desk, task):
    assert desk.get(f"{LIST}live/?task=nonsense").status_code == 404
    assert desk.post(f"{LIST}live/").status_code == 405
    assert desk.get(f"{LIST}{uuid.uuid4()}/change/").status_code == 404
    assert desk.get(f"{LIST}nonsense/change/").status_code == 404


def test_filters_by_state_failure_and_age(desk, task):
    assert shows(desk, "status__exact=READY&age=hour", task)
    assert not shows(desk, "age=older", task)
    assert not shows(desk, "failure=error", task)
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    assert shows(desk, "failure=error", task)
    assert not shows(desk, "failure=crashed", task)
    assert not shows(desk, "failure=mail", task)
    task.mails.update(status=MailStatus.GAVE_UP)
    assert shows(desk, "failure=mail", task)
    task.mails.update(status=MailStatus.PENDING, tries=2)
    assert shows(desk, "failure=late", task)


def test_filters_by_kind(desk, alice, task):
    account, _ = ExportTask.objects.request(alice.pk, "account")
    assert shows(desk, "kind=account", account)
    assert not shows(desk, "kind=account", task)
    assert shows(desk, "kind=posts", task)
    assert shows(desk, "kind=photos", task)  # nothing that there is: all are shown


def test_search_by_owner_id_and_message_id(desk, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    mail = task.mails.get()
    found = [
        "alice",
        "alice@microblog.example",
        task.pk,
        f"<{mail.pk}@somewhere.example>",
        mail.message_id,
        mail.pk,
    ]
    for words in found:
        assert shows(desk, f"q={words}", task), words
    for words in ("bob", uuid.uuid4(), f"<{uuid.uuid4()}@microblog.example>"):
        assert not shows(desk, f"q={words}", task), words


def test_one_export_names_the_staff_who_acted(client, operator, task):
    client.force_login(operator)
    task.cancel(operator)
    assert "by operators" in client.get(f"{LIST}{task.pk}/change/").content.decode()


def test_a_job_that_rq_has_forgotten_is_no_link(client, operator, task):
    client.force_login(operator)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "RQ has forgotten it" in page
    assert "/queues/0/" not in page


def test_support_sees_the_jobs_name_and_no_link_that_would_be_refused(desk, task):
    jobs.enqueue_export(task)
    page = desk.get(f"{LIST}{task.pk}/change/").content.decode()
    assert task.job_id in page
    assert "/queues/0/" not in page


@pytest.mark.django_db(transaction=True)
def test_nothing_of_what_people_wrote_is_to_be_seen(client, operator, alice, create_posts, task):
    create_posts(alice, 3)
    jobs.enqueue_export(task)
    queue = django_rq.get_queue("default")
    from rq import SimpleWorker

    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    client.force_login(operator)
    job = f"/admin/django_rq/dashboard/queues/0/{task.job_id}/"
    for path in (LIST, f"{LIST}{task.pk}/change/", f"{LIST}{task.pk}/history/", job):
        response = client.get(path)
        assert response.status_code == 200
        assert "Post 1" not in response.content.decode()
        assert task.archive.name not in response.content.decode() or not task.archive.name


def test_the_answer_is_json_that_no_cache_keeps(desk, task):
    response = desk.get(f"{LIST}live/?task={task.pk}")
    assert "no-store" in response["Cache-Control"]
    assert json.loads(response.content)["newest"] == str(task.pk)
