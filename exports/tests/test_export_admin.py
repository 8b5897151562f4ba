import pytest
from django.contrib.auth.models import Permission

from exports.models import ErrorCode
from tasks.jobs import enqueue_task

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
LIST = "/admin/exports/exporttask/"
DASHBOARD = "/admin/django_rq/dashboard/"


def test_export_list_shows_owner_and_progress(client, staff, task):
    client.force_login(staff)
    task.rows_total = 10
    task.save()
    task.claim()
    task.renew(5)
    text = client.get(LIST).content.decode()
    assert "alice" in text
    assert "5 of 10 posts" in text
    assert '<progress max="100" value="50"' in text


def test_export_list_can_be_searched_by_owner(client, staff, task):
    client.force_login(staff)
    row = f'data-task="{task.pk}"'
    assert row in client.get(f"{LIST}?q=alice").content.decode()
    assert row not in client.get(f"{LIST}?q=bob").content.decode()


def test_export_list_query_count_is_constant(
    client, staff, make_user, django_assert_max_num_queries
):
    from exports.models import ExportTask

    client.force_login(staff)
    for number in range(5):
        ExportTask.objects.request(make_user(f"person{number}"))
    with django_assert_max_num_queries(10):
        client.get(LIST)


def test_export_page_shows_timeline_traceback_and_job(client, staff, task):
    client.force_login(staff)
    enqueue_task(task)
    task.claim()
    task.fail(ErrorCode.ERROR, "Traceback <most> recent")
    text = client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "Traceback &lt;most&gt; recent" in text
    assert "A worker began" in text
    assert f"{DASHBOARD}queues/0/{task.job_id}/" in text


def test_exports_cannot_be_edited_in_admin(client, staff, task):
    client.force_login(staff)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{task.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{LIST}{task.pk}/change/", {"status": "FAILED"}).status_code == 403
    task.refresh_from_db()
    assert task.status == "READY"


@pytest.mark.parametrize("path", ["", "queues/0/", "queues/0/failed/", "workers/0/", "queues/0/x/"])
def test_rq_dashboard_requires_permission(client, staff_without_permissions, path):
    client.force_login(staff_without_permissions)
    assert client.get(DASHBOARD + path).status_code == 403


def test_staff_without_permission_cannot_empty_queue(client, staff_without_permissions, task):
    from django_rq import get_queue

    enqueue_task(task)
    client.force_login(staff_without_permissions)
    assert client.post(f"{DASHBOARD}queues/0/empty/").status_code == 403
    assert get_queue("default").get_job_ids() == [task.job_id]


def test_rq_dashboard_opens_with_permission(client, staff_without_permissions):
    staff_without_permissions.user_permissions.add(
        Permission.objects.get(content_type__app_label="django_rq", codename="admin")
    )
    client.force_login(staff_without_permissions)
    assert client.get(DASHBOARD).status_code == 200
    assert client.get(f"{DASHBOARD}queues/0/").status_code == 200


def test_rq_dashboard_redirects_users_who_are_not_staff(client, alice):
    assert client.get(DASHBOARD).status_code == 302
    client.force_login(alice)
    assert client.get(DASHBOARD).status_code == 302


def test_admin_login_redirects_to_site_sign_in(client):
    response = client.get("/admin/")
    assert response.status_code == 302
    assert client.get("/admin/login/?next=/admin/").url.startswith("/accounts/login/")
