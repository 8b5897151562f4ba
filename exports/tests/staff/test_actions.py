import django_rq
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import RedisError

from exports import jobs
from exports.models import ErrorCode, Event, ExportTask, MailStatus, Purpose, Status

pytestmark = pytest.mark.django_db

LIST = "/admin/exports/exporttask/"


@pytest.fixture
def act(client, operator):
    client.force_login(operator)

    def post(name, *tasks):
        keys = {"task": [str(task.pk) for task in tasks]}
        return client.post(f"{LIST}act/{name}/", keys, follow=True).content.decode()

    return post


def job_ids():
    return django_rq.get_queue("default").get_job_ids()


def last_event(task):
    return task.events.last()


def test_it_is_asked_first_and_asking_changes_nothing(client, operator, task):
    client.force_login(operator)
    page = client.get(f"{LIST}act/cancel/?task={task.pk}").content.decode()
    assert "The build stops" in page
    assert "Export of alice" in page
    task.refresh_from_db()
    assert task.status == Status.READY
    assert not LogEntry.objects.exists()


def test_cancelling_is_recorded_with_who_did_it(act, task, operator):
    jobs.enqueue_export(task)
    assert "Cancel: done for 1 export." in act("cancel", task)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert (last_event(task).kind, last_event(task).actor) == (Event.CANCELLED, operator)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (
        operator,
        str(task.pk),
        "Cancelled.",
    )
    assert job_ids() == []


def test_what_is_over_cannot_be_cancelled(act, task):
    task.cancel()
    assert "was left as it is" in act("cancel", task)
    assert not LogEntry.objects.exists()


def test_rescue_takes_a_build_from_its_worker(act, task, operator):
    task.claim()
    act("rescue", task)
    rescued = ExportTask.objects.get()
    assert (rescued.status, rescued.attempt, rescued.crashes) == (Status.READY, 2, 0)
    assert (last_event(task).kind, last_event(task).actor) == (Event.RESCUED, operator)
    assert job_ids() == [rescued.job_id]
    assert not task.renew(1)  # the old worker is fenced off


def test_rescue_gives_a_waiting_export_a_new_job(act, task):
    jobs.enqueue_export(task)
    act("rescue", task)
    assert job_ids() == [f"{task.pk}-2"]


@pytest.mark.django_db(transaction=True)
def test_send_again_makes_another_mail_with_another_message_id(
    act, finished_task, operator, mailoutbox
):
    [first] = finished_task.mails.all()
    act("resend", finished_task)
    second = finished_task.mails.exclude(pk=first.pk).get()
    assert second.message_id != first.message_id
    assert (last_event(finished_task).kind, last_event(finished_task).actor) == (
        Event.RESENT,
        operator,
    )
    assert job_ids() == [second.job_id]
    jobs.deliver_mail(str(second.pk))
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == [second.message_id]
    second.refresh_from_db()
    assert second.status == MailStatus.SENT


@pytest.mark.django_db(transaction=True)
def test_two_clicks_send_one_mail(act, finished_task):
    act("resend", finished_task)
    assert "was left as it is" in act("resend", finished_task)
    assert finished_task.mails.count() == 2


def test_news_of_a_failure_can_be_sent_again(act, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP)
    act("resend", task)
    assert task.mails.filter(purpose=Purpose.FAILURE).count() == 2


@pytest.mark.django_db(transaction=True)
def test_expire_now_removes_the_file(act, finished_task, operator, client, alice):
    storage, name = finished_task.archive.storage, finished_task.archive.name
    assert storage.exists(name)
    act("expire", finished_task)
    finished_task.refresh_from_db()
    assert not finished_task.archive
    assert not storage.exists(name)
    assert (last_event(finished_task).kind, last_event(finished_task).actor) == (
        Event.EXPIRED,
        operator,
    )
    client.force_login(alice)
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_request_anew_is_for_the_owner_and_asks_no_pause(act, task, operator, settings):
    settings.EXPORT_COOLDOWN = 600
    task.claim()
    task.finish("", 1, 1, "")
    act("request", task)
    new = ExportTask.objects.exclude(pk=task.pk).get()
    assert (new.owner, new.status) == (task.owner, Status.READY)
    assert new.events.get().actor == operator
    assert job_ids() == [new.job_id]


def test_nothing_is_requested_for_a_closed_account(act, task):
    task.cancel()
    task.owner.is_active = False
    task.owner.save()
    act("request", task)
    assert ExportTask.objects.count() == 1


def test_several_are_chosen_in_the_list_and_confirmed_together(client, act, operator, task, bob):
    other, _ = ExportTask.objects.request(bob.pk)
    chosen = {"action": "cancel", "_selected_action": [str(task.pk), str(other.pk)]}
    response = client.post(LIST, chosen)
    assert response.url.startswith(f"{LIST}act/cancel/?task=")
    assert client.get(response.url).content.decode().count('name="task"') == 2
    assert "done for 2 exports" in act("cancel", task, other)


@pytest.mark.parametrize(
    "query", ["", "?task=nonsense", "?task=00000000-0000-4000-8000-000000000000"]
)
def test_bad_choices_are_not_found(client, operator, query):
    client.force_login(operator)
    assert client.get(f"{LIST}act/cancel/{query}").status_code == 404
    assert client.get(f"{LIST}act/explode/{query}").status_code == 404


def test_a_broker_that_is_away_stops_no_cancellation_and_is_asked_once(act, task, bob, monkeypatch):
    asked = []

    def away(queue, job_id):
        asked.append(job_id)
        raise RedisError("away")

    monkeypatch.setattr("rq.Queue.remove", away)
    other, _ = ExportTask.objects.request(bob.pk)
    assert "done for 2 exports" in act("cancel", task, other)
    assert len(asked) == 1
    assert set(ExportTask.objects.values_list("status", flat=True)) == {Status.CANCELLED}


def test_nothing_is_requested_while_the_disk_is_nearly_full(act, task, settings):
    settings.EXPORT_MIN_FREE = 2**60
    task.cancel()
    assert "was left as it is" in act("request", task)
    assert ExportTask.objects.count() == 1


def test_asking_whether_it_is_meant_costs_the_same_for_many(client, operator, make_user, task):
    client.force_login(operator)
    tasks = [task, *(ExportTask.objects.request(make_user(f"person{n}").pk)[0] for n in range(9))]
    for one in tasks:
        one.claim()
        one.fail(ErrorCode.ERROR, "")
    client.get(
        f"{LIST}act/resend/", {"task": task.pk}
    )  # the first request notes when they were last here
    costs = []
    for chosen in (tasks[:1], tasks):
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{LIST}act/resend/", {"task": [one.pk for one in chosen]})
        costs.append(len(queries))
    assert costs[0] == costs[1]
