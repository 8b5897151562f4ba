"""What each role may do at the desk: tried, page by page."""

import pytest
from django.contrib.auth.models import Group

from exports.jobs import enqueue_export
from exports.staff.actions import ACTIONS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "/admin/exports/exporttask/"
DASHBOARD = "/admin/django_rq/dashboard/"
WATCHING = ["/admin/", LIST, f"{LIST}live/", "/admin/stuck/"]
QUEUE = [
    DASHBOARD,
    f"{DASHBOARD}queues/0/",
    f"{DASHBOARD}queues/0/failed/",
    f"{DASHBOARD}workers/0/",
]
PEOPLE = ["/admin/blog/user/", "/admin/blog/post/", "/admin/auth/group/"]


def codes(client, paths):
    return {client.get(path).status_code for path in paths}


def act(name, task):
    return f"{LIST}act/{name}/?task={task.pk}"


def test_support_watches_cancels_and_sends_again_and_no_more(client, support, task):
    enqueue_export(task)
    client.force_login(support)
    assert codes(
        client, [*WATCHING, f"{LIST}{task.pk}/change/", act("cancel", task), act("resend", task)]
    ) == {200}
    closed = [
        "/admin/selftest/",
        *(act(name, task) for name in ("rescue", "expire", "request")),
        *QUEUE,
        *PEOPLE,
    ]
    assert codes(client, closed) == {403}
    assert client.post("/admin/stuck/", {"remedy": "sweep"}).status_code == 403


def test_operators_do_that_and_use_the_queue(client, operator, task):
    enqueue_export(task)
    client.force_login(operator)
    acts = [act(name, task) for name in ACTIONS]
    opened = [*WATCHING, f"{LIST}{task.pk}/change/", "/admin/selftest/", *acts, *QUEUE]
    assert codes(client, opened) == {200}
    assert codes(client, PEOPLE) == {403}


def test_staff_without_a_role_see_an_empty_desk(client, staff_without_permissions, task):
    client.force_login(staff_without_permissions)
    assert "Success rate" not in client.get("/admin/").content.decode()
    closed = [
        *WATCHING[1:],
        f"{LIST}{task.pk}/change/",
        "/admin/selftest/",
        act("cancel", task),
        *QUEUE,
        *PEOPLE,
    ]
    assert codes(client, closed) == {403}


def test_people_stay_outside(client, alice, task):
    paths = [*WATCHING, f"{LIST}{task.pk}/change/", "/admin/selftest/", act("cancel", task), *QUEUE]
    assert codes(client, paths) == {302}
    client.force_login(alice)
    assert codes(client, paths) == {302}
    assert client.get("/admin/login/").status_code == 403


def test_the_links_at_the_top_are_those_that_open(client, support, operator):
    client.force_login(support)
    page = client.get("/admin/").content.decode()
    assert "/admin/stuck/" in page
    assert "/admin/selftest/" not in page
    assert DASHBOARD not in page
    client.force_login(operator)
    assert DASHBOARD in client.get("/admin/").content.decode()


def test_making_the_roles_again_changes_nothing(make_staff):
    before = {group.name: group.permissions.count() for group in Group.objects.all()}
    make_staff("Support")
    assert {
        group.name: group.permissions.count() for group in Group.objects.all()
    } == before or not before
