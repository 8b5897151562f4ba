import django_rq
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import RedisError

from exports.models import ErrorCode, Event, ExportTask, MailStatus, Purpose, Status
from exports.tests.conftest import build_result
from tasks import jobs

pytestmark = pytest.mark.django_db

LIST = "/admin/exports/exporttask/"


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
    assert "The build stops" in page
    assert "Export of alice" in page
    task.refresh_from_db()
    assert task.status == Status.READY
    assert not LogEntry.objects.exists()


def test_cancel_action_records_its_actor(run_action, task, operator):
    jobs.enqueue_task(task)
    assert "Cancel: done for 1 export." in run_action("cancel", task)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert_last_event(task, Event.CANCELLED, operator)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (
        operator,
        str(task.pk),
        "Cancelled.",
    )
    assert job_ids() == []


def test_ended_export_cannot_be_cancelled(run_action, task):
    task.cancel()
    assert "was left as it is" in run_action("cancel", task)
    assert not LogEntry.objects.exists()


def test_rescue_takes_build_from_its_worker(run_action, task, operator):
    task.claim()
    run_action("rescue", task)
    rescued = ExportTask.objects.get()
    assert (rescued.status, rescued.attempt, rescued.crashes) == (Status.READY, 2, 0)
    assert_last_event(task, Event.RESCUED, operator)
    assert job_ids() == [rescued.job_id]
    assert not task.renew(1)  # the old worker lost its lease


def test_rescue_enqueues_new_job_for_waiting_export(run_action, task):
    jobs.enqueue_task(task)
    run_action("rescue", task)
    assert job_ids() == [f"{task.pk}-2"]


@pytest.mark.django_db(transaction=True)
def test_resend_sends_new_mail_with_new_message_id(run_action, finished_task, operator, mailoutbox):
    [first] = finished_task.mails.all()
    run_action("resend", finished_task)
    second = finished_task.mails.exclude(pk=first.pk).get()
    assert second.message_id != first.message_id
    assert_last_event(finished_task, Event.RESENT, operator)
    assert job_ids() == [second.job_id]
    jobs.send_mail("exports.ExportMail", str(second.pk), second.tries)
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == [second.message_id]
    second.refresh_from_db()
    assert second.status == MailStatus.SENT


@pytest.mark.django_db(transaction=True)
def test_resend_twice_sends_one_mail(run_action, finished_task):
    run_action("resend", finished_task)
    assert "was left as it is" in run_action("resend", finished_task)
    assert finished_task.mails.count() == 2


def test_failure_mail_can_be_resent(run_action, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP)
    run_action("resend", task)
    assert task.mails.filter(purpose=Purpose.FAILURE).count() == 2


@pytest.mark.django_db(transaction=True)
def test_expire_action_deletes_the_archive(run_action, finished_task, operator, client, alice):
    storage, name = finished_task.archive.storage, finished_task.archive.name
    assert storage.exists(name)
    run_action("expire", finished_task)
    finished_task.refresh_from_db()
    assert not finished_task.archive
    assert not storage.exists(name)
    assert_last_event(finished_task, Event.EXPIRED, operator)
    client.force_login(alice)
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_request_action_ignores_the_cooldown(run_action, task, operator, settings):
    settings.EXPORT_COOLDOWN = 600
    task.claim()
    task.finish(**build_result("", 1, 1, ""))
    run_action("request", task)
    new = ExportTask.objects.exclude(pk=task.pk).get()
    assert (new.owner, new.status) == (task.owner, Status.READY)
    assert new.events.get().actor == operator
    assert job_ids() == [new.job_id]


def test_request_action_skips_deactivated_owner(run_action, task):
    task.cancel()
    task.owner.is_active = False
    task.owner.save()
    run_action("request", task)
    assert ExportTask.objects.count() == 1


def test_several_exports_are_confirmed_together(client, run_action, operator, task, bob):
    other, _ = ExportTask.objects.request(bob)
    form = {"action": "cancel", "_selected_action": [str(task.pk), str(other.pk)]}
    response = client.post(LIST, form)
    assert response.url.startswith(f"{LIST}act/cancel/?task=")
    assert client.get(response.url).content.decode().count('name="task"') == 2
    assert "done for 2 exports" in run_action("cancel", task, other)


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
    other, _ = ExportTask.objects.request(bob)
    assert "done for 2 exports" in run_action("cancel", task, other)
    assert len(calls) == 1
    assert set(ExportTask.objects.values_list("status", flat=True)) == {Status.CANCELLED}


def test_request_action_fails_when_disk_is_full(run_action, task, settings):
    settings.EXPORT_MIN_FREE = 2**60
    task.cancel()
    assert "was left as it is" in run_action("request", task)
    assert ExportTask.objects.count() == 1


def test_confirmation_page_query_count_is_constant(client, operator, make_user, task):
    client.force_login(operator)
    tasks = [task, *(ExportTask.objects.request(make_user(f"person{n}"))[0] for n in range(9))]
    for failed in tasks:
        failed.claim()
        failed.fail(ErrorCode.ERROR, "")
    # The first request also updates `last_seen_at`.
    client.get(f"{LIST}act/resend/", {"task": task.pk})
    counts = []
    for selected in (tasks[:1], tasks):
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{LIST}act/resend/", {"task": [task.pk for task in selected]})
        counts.append(len(queries))
    assert counts[0] == counts[1]
