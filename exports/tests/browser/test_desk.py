"""The staff desk in a real browser."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from blog.models import User
from conftest import PASSWORD
from exports.models import ExportTask

pytestmark = pytest.mark.browser

LIST = "/admin/exports/exporttask/"
LIVE = re.compile(r"/live/\?task=")
ROWS = 40  # more than fit on a screen


@pytest.fixture
def desk(page, live_server, staff):
    """The address of a site that staff are signed in to; the window is as high as a telephone's."""
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("Name or e-mail address").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="Menu").wait_for()
    return live_server.url


@pytest.fixture
def many(make_user):
    return [
        ExportTask.objects.request(make_user(f"person{number}").pk)[0] for number in range(ROWS)
    ]


def row_of(page, task):
    return page.locator("tr", has=page.locator(f'[data-task="{task.pk}"]'))


def test_the_list_moves_by_itself(desk, page, task):
    page.goto(desk + LIST)
    page.evaluate("window.isTheSame = true")
    row = row_of(page, task)
    row.scroll_into_view_if_needed()
    assert row.locator("[data-live=state]").inner_text() == "Waiting"
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(50)
    row.get_by_text("50 of 200 posts").wait_for()
    assert row.locator("progress").get_attribute("value") == "25"
    task.cancel()
    row.get_by_text("Cancelled").wait_for()
    assert row.locator("progress").is_hidden()
    assert page.evaluate("window.isTheSame")


def test_it_asks_for_the_rows_in_sight_alone(desk, page, many):
    page.goto(desk + LIST)
    with page.expect_request(LIVE) as asked:
        pass
    assert 0 < len(parse_qs(urlsplit(asked.value.url).query)["task"]) < ROWS
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    with page.expect_request(lambda request: f"task={many[0].pk}" in request.url):
        pass


def test_it_tells_of_newer_exports(desk, page, task, bob):
    page.goto(desk + LIST)
    newer, _ = ExportTask.objects.request(bob.pk)
    page.get_by_role("link", name="There are newer exports. Show them").click()
    row_of(page, newer).wait_for()


def test_watching_is_not_being_here(desk, page, task, staff):
    page.goto(desk + LIST)
    row_of(page, task).scroll_into_view_if_needed()
    long_ago = timezone.now() - timedelta(hours=1)
    User.objects.filter(pk=staff.pk).update(last_seen_at=long_ago)
    with page.expect_response(LIVE) as answered:
        pass
    assert answered.value.ok
    staff.refresh_from_db()
    assert staff.last_seen_at == long_ago


def test_one_export_moves_too(desk, page, task):
    page.goto(f"{desk}{LIST}{task.pk}/change/")
    task.claim()
    page.locator("[data-live=state]").get_by_text("Being built").wait_for()


def test_an_export_is_cancelled_with_two_clicks(desk, page, task):
    page.goto(f"{desk}{LIST}{task.pk}/change/")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancel: done for 1 export.").wait_for()
    page.get_by_text("by staff").wait_for()


@pytest.mark.parametrize(
    "path", ["/admin/", LIST, "/admin/stuck/", "/admin/selftest/", "/admin/django_rq/dashboard/"]
)
def test_no_page_scrolls_sideways(desk, page, task, path):
    page.goto(desk + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("theme", "scheme"), [("light", "light"), ("dark", "dark")])
def test_the_theme_is_that_of_the_site(desk, page, theme, scheme):
    page.goto(f"{desk}/admin/")
    page.get_by_role("button", name=theme.title(), exact=True).click()
    page.wait_for_load_state()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == scheme


def test_the_boxes_of_a_list_of_jobs_are_ticked_together(desk, page, task):
    from exports.jobs import enqueue_export

    enqueue_export(task)
    page.goto(f"{desk}/admin/django_rq/dashboard/queues/0/")
    page.locator("#action-toggle").check()
    assert page.locator("input.action-select").is_checked()
