from datetime import timedelta

import django_rq
import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from rq import SimpleWorker

from exports.models import ErrorCode, ExportTask, MailStatus, Status
from tasks.jobs import enqueue_task
from tasks.models import SweeperHeartbeat

pytestmark = pytest.mark.django_db
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
    enqueue_task(task)
    client.force_login(staff_without_permissions)
    assert client.post(f"{DASHBOARD}queues/0/empty/").status_code == 403
    assert django_rq.get_queue("default").get_job_ids() == [task.job_id]


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


@pytest.fixture
def staff_client(client, support):
    client.force_login(support)
    return client


def list_shows(staff_client, query, task):
    return f'data-task="{task.pk}"' in staff_client.get(f"{LIST}?{query}").content.decode()


def get_cells(staff_client, *tasks):
    query = "&".join(f"task={task.pk}" for task in tasks)
    return staff_client.get(f"{LIST}live/?{query}").json()["tasks"]


def test_export_list_uses_texts_of_each_kind(staff_client, alice):
    account, _ = ExportTask.objects.request(alice, "account", rows_total=5)
    assert get_cells(staff_client, account)[str(account.pk)]["rows"] == "0 of 5 entries"
    page = staff_client.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "0 of 5 entries" in page
    assert "<dd>Account</dd>" in page


def test_export_list_filters_by_kind(staff_client, alice, task):
    account, _ = ExportTask.objects.request(alice, "account")
    assert list_shows(staff_client, "kind=account", account)
    assert not list_shows(staff_client, "kind=account", task)
    assert list_shows(staff_client, "kind=posts", task)
    assert list_shows(staff_client, "kind=photos", task)  # an unknown kind filters nothing


@pytest.mark.django_db(transaction=True)
def test_staff_pages_never_show_post_texts(client, operator, alice, create_posts, task):
    create_posts(alice, 3)
    enqueue_task(task)
    queue = django_rq.get_queue("default")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    client.force_login(operator)
    job = f"/admin/django_rq/dashboard/queues/0/{task.job_id}/"
    for path in (LIST, f"{LIST}{task.pk}/change/", f"{LIST}{task.pk}/history/", job):
        response = client.get(path)
        assert response.status_code == 200
        assert "Post 1" not in response.content.decode()
        assert task.archive.name not in response.content.decode() or not task.archive.name


def test_bounced_mail_is_shown_and_filtered(staff_client, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    assert not list_shows(staff_client, "failure=bounced", task)
    task.mails.get().mark_bounced("550 no such mailbox")
    assert list_shows(staff_client, "failure=bounced", task)
    assert get_cells(staff_client, task)[str(task.pk)]["mail"] == "Refused by the provider"
    page = staff_client.get(f"{LIST}{task.pk}/change/").content.decode()
    assert "550 no such mailbox" in page


def test_expired_archive_is_found_by_diagnosis(client, operator, worker, task):
    SweeperHeartbeat.objects.record_heartbeat()
    client.force_login(operator)
    long_ago = timezone.now() - timedelta(hours=2)
    fields = {"status": Status.SUCCESSFUL, "archive": "x", "archive_expires_at": long_ago}
    ExportTask.objects.filter(pk=task.pk).update(**fields)
    page = client.get("/admin/diagnosis/").content.decode()
    assert "time is over, and it is still there" in page


def test_overview_shows_archives_and_bounces(staff_client, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(bounced_at=timezone.now())
    ExportTask.objects.filter(pk=task.pk).update(archive="x", archive_bytes=2048)
    page = staff_client.get("/admin/").content.decode()
    assert "1 (2.0\xa0KB)" in page
    assert '?failure=bounced">1</a>' in page


def test_export_mails_are_listed_without_address(staff_client, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP, error="550 refused")
    page = staff_client.get("/admin/exports/exportmail/?status__exact=GAVE_UP").content.decode()
    assert "Export of alice" in page
    assert "550 refused" in page
    assert task.owner.email not in page
