"""Pages of a kind of task that has no admin of its own."""

import pytest
from django.contrib import admin

from staff.admin import MailAdmin, TaskAdmin
from tasks.jobs import enqueue_task
from tasks.models import Status, mail_models, task_models
from tasks.tests.models import SampleTask

from .conftest import LIST

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DASHBOARD = "/admin/django_rq/dashboard/"


def test_every_kind_has_admin_pages():
    for model in task_models():
        assert isinstance(admin.site.get_model_admin(model), TaskAdmin), model
    for mail_model in mail_models():
        assert isinstance(admin.site.get_model_admin(mail_model), MailAdmin), mail_model
    assert SampleTask in task_models()


def test_task_list_shows_owner_and_progress(client, support, task):
    client.force_login(support)
    task.claim()
    task.renew(5)
    page = client.get(LIST).content.decode()
    assert "alice" in page
    assert "5 of 10" in page
    assert '<progress max="100" value="50"' in page


def test_task_page_shows_timeline_traceback_mail(client, operator, failed_task):
    client.force_login(operator)
    enqueue_task(failed_task)
    page = client.get(f"{LIST}{failed_task.pk}/change/").content.decode()
    assert "Sample task of alice" in page
    assert "Traceback &lt;most&gt; recent" in page
    assert "A worker began" in page
    assert failed_task.pending_mail.message_id.strip("<>") in page
    assert f"{DASHBOARD}queues/0/{failed_task.job_id}/" in page


def test_tasks_cannot_be_edited(client, staff, task):
    client.force_login(staff)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{task.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{LIST}{task.pk}/change/", {"status": "FAILED"}).status_code == 403
    task.refresh_from_db()
    assert task.status == Status.READY


def test_view_permission_shows_pages_without_actions(client, support, task):
    client.force_login(support)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "Waiting" in page
    assert "act/" not in page
    for name in ("cancel", "rescue"):
        assert client.get(f"{LIST}act/{name}/?task={task.pk}").status_code == 403
        assert client.post(f"{LIST}act/{name}/", {"task": task.pk}).status_code == 403
    assert client.get("/admin/selftest/").status_code == 403
    assert client.post("/admin/diagnosis/", {"fix": "sweep"}).status_code == 403


def test_operate_permission_allows_actions(client, operator, task):
    client.force_login(operator)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert f"{LIST}act/cancel/?task={task.pk}" in page
    assert client.get("/admin/selftest/").status_code == 200


def test_staff_see_only_permitted_kinds(client, support, task):
    from exports.models import ExportTask

    export, _ = ExportTask.objects.request(task.owner)
    export.owner.is_active = False
    export.owner.save()
    client.force_login(support)
    for path in ("/admin/", "/admin/diagnosis/"):
        page = client.get(path).content.decode()
        assert LIST in page
        assert "exports/exporttask" not in page
    assert client.get("/admin/exports/exporttask/").status_code == 403


def test_uncancellable_task_offers_no_cancel(client, operator, task, monkeypatch):
    monkeypatch.setattr(SampleTask, "is_cancellable", False)
    client.force_login(operator)
    assert "act/cancel/" not in client.get(f"{LIST}{task.pk}/change/").content.decode()
    client.post(f"{LIST}act/cancel/", {"task": task.pk})
    task.refresh_from_db()
    assert task.status == Status.READY


def test_pruned_timeline_is_explained(client, support, task):
    task.events.all().delete()
    client.force_login(support)
    page = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "The details of this task are no longer kept." in page


def test_navigation_links_match_permissions(client, support, operator):
    client.force_login(support)
    page = client.get("/admin/").content.decode()
    assert LIST in page
    assert "/admin/diagnosis/" in page
    assert "/admin/selftest/" not in page
    assert DASHBOARD not in page
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    assert "/admin/selftest/" in page
    assert DASHBOARD in page
