"""Access of each role to the staff pages."""

import pytest
from django.contrib.auth.models import Group

from exports.admin import ExportTaskAdmin
from tasks.jobs import enqueue_task

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "/admin/exports/exporttask/"
DASHBOARD = "/admin/django_rq/dashboard/"
MAIL_PAGES = ["/admin/exports/exportmail/", "/admin/blog/accountmail/"]
VIEW_PAGES = ["/admin/", LIST, f"{LIST}live/", "/admin/diagnosis/", *MAIL_PAGES]
QUEUE_PAGES = [
    DASHBOARD,
    f"{DASHBOARD}queues/0/",
    f"{DASHBOARD}queues/0/failed/",
    f"{DASHBOARD}workers/0/",
]
USER_PAGES = ["/admin/blog/user/", "/admin/blog/post/", "/admin/auth/group/"]


def status_codes(client, paths):
    return {client.get(path).status_code for path in paths}


def action_url(name, task):
    return f"{LIST}act/{name}/?task={task.pk}"


def test_support_can_view_cancel_and_resend_only(client, support, task):
    enqueue_task(task)
    client.force_login(support)
    assert status_codes(
        client,
        [
            *VIEW_PAGES,
            f"{LIST}{task.pk}/change/",
            action_url("cancel", task),
            action_url("resend", task),
        ],
    ) == {200}
    forbidden = [
        "/admin/selftest/",
        *(action_url(name, task) for name in ("rescue", "expire", "request")),
        *QUEUE_PAGES,
        *USER_PAGES,
    ]
    assert status_codes(client, forbidden) == {403}
    assert client.post("/admin/diagnosis/", {"fix": "sweep"}).status_code == 403


def test_operators_can_use_all_staff_pages(client, operator, task):
    enqueue_task(task)
    client.force_login(operator)
    actions = [action_url(action.name, task) for action in ExportTaskAdmin.task_actions]
    allowed = [*VIEW_PAGES, f"{LIST}{task.pk}/change/", "/admin/selftest/", *actions, *QUEUE_PAGES]
    assert status_codes(client, allowed) == {200}
    assert status_codes(client, USER_PAGES) == {403}


def test_staff_without_role_see_empty_overview(client, staff_without_permissions, task):
    client.force_login(staff_without_permissions)
    assert "Success rate" not in client.get("/admin/").content.decode()
    forbidden = [
        *VIEW_PAGES[1:],
        f"{LIST}{task.pk}/change/",
        "/admin/selftest/",
        action_url("cancel", task),
        *QUEUE_PAGES,
        *USER_PAGES,
    ]
    assert status_codes(client, forbidden) == {403}


def test_ordinary_users_cannot_open_staff_pages(client, alice, task):
    paths = [
        *VIEW_PAGES,
        f"{LIST}{task.pk}/change/",
        "/admin/selftest/",
        action_url("cancel", task),
        *QUEUE_PAGES,
    ]
    assert status_codes(client, paths) == {302}
    client.force_login(alice)
    assert status_codes(client, paths) == {302}
    assert client.get("/admin/login/").status_code == 403


def test_navigation_links_match_permissions(client, support, operator):
    client.force_login(support)
    page = client.get("/admin/").content.decode()
    assert "/admin/diagnosis/" in page
    assert "/admin/selftest/" not in page
    assert DASHBOARD not in page
    client.force_login(operator)
    assert DASHBOARD in client.get("/admin/").content.decode()


def test_creating_roles_twice_changes_nothing(make_staff):
    before = {group.name: group.permissions.count() for group in Group.objects.all()}
    make_staff("Support")
    assert {
        group.name: group.permissions.count() for group in Group.objects.all()
    } == before or not before
