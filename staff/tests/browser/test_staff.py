"""Staff pages in a real browser."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from blog.models import User
from conftest import PASSWORD
from tasks.tests.models import SampleTask

pytestmark = pytest.mark.browser

LIST = "/admin/sample/sampletask/"
LIVE_URL = re.compile(r"/live/\?task=")
ROWS = 40  # more than fit on a screen


@pytest.fixture
def site_url(page, live_server, staff):
    """Sign staff in and return the URL of the site; the window has the size of a phone."""
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("Name or e-mail address").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="Menu").wait_for()
    return live_server.url


@pytest.fixture
def many_tasks(request_task):
    return [request_task(f"person{number}") for number in range(ROWS)]


def row_of(page, task):
    return page.locator("tr", has=page.locator(f'[data-task="{task.pk}"]'))


def test_task_list_updates_by_itself(site_url, page, task):
    page.goto(site_url + LIST)
    page.evaluate("window.isSamePage = true")
    row = row_of(page, task)
    row.scroll_into_view_if_needed()
    assert row.locator("[data-live=state]").inner_text() == "Waiting"
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(50)
    row.get_by_text("50 of 200").wait_for()
    assert row.locator("progress").get_attribute("value") == "25"
    task.cancel()
    row.get_by_text("Cancelled").wait_for()
    assert row.locator("progress").is_hidden()
    assert page.evaluate("window.isSamePage")


def test_task_list_polls_visible_rows_only(site_url, page, many_tasks):
    page.goto(site_url + LIST)
    with page.expect_request(LIVE_URL) as request_info:
        pass
    assert 0 < len(parse_qs(urlsplit(request_info.value.url).query)["task"]) < ROWS
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    with page.expect_request(lambda request: f"task={many_tasks[0].pk}" in request.url):
        pass


def test_task_list_offers_newer_tasks(site_url, page, task, bob):
    page.goto(site_url + LIST)
    newer, _ = SampleTask.objects.get_or_create_unfinished(bob)
    page.get_by_role("link", name="There are newer ones. Show them").click()
    row_of(page, newer).wait_for()


def test_polling_does_not_update_last_seen(site_url, page, task, staff):
    page.goto(site_url + LIST)
    row_of(page, task).scroll_into_view_if_needed()
    long_ago = timezone.now() - timedelta(hours=1)
    User.objects.filter(pk=staff.pk).update(last_seen_at=long_ago)
    with page.expect_response(LIVE_URL) as response_info:
        pass
    assert response_info.value.ok
    staff.refresh_from_db()
    assert staff.last_seen_at == long_ago


def test_task_page_updates_by_itself(site_url, page, task):
    page.goto(f"{site_url}{LIST}{task.pk}/change/")
    task.claim()
    page.locator("[data-live=state]").get_by_text("Running").wait_for()


def test_task_is_cancelled_with_two_clicks(site_url, page, task):
    page.goto(f"{site_url}{LIST}{task.pk}/change/")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancel: done for 1 task.").wait_for()
    page.get_by_text("by staff").wait_for()


@pytest.mark.parametrize(
    "path",
    ["/admin/", LIST, "/admin/diagnosis/", "/admin/selftest/", "/admin/django_rq/dashboard/"],
)
def test_staff_pages_do_not_scroll_sideways(site_url, page, task, path):
    page.goto(site_url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("theme", "scheme"), [("light", "light"), ("dark", "dark")])
def test_staff_pages_use_the_site_theme(site_url, page, theme, scheme):
    page.goto(f"{site_url}/admin/")
    page.get_by_role("button", name=theme.title(), exact=True).click()
    page.wait_for_load_state()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == scheme


def test_job_checkboxes_are_checked_together(site_url, page, task):
    from tasks.jobs import enqueue_task

    enqueue_task(task)
    page.goto(f"{site_url}/admin/django_rq/dashboard/queues/0/")
    page.locator("#action-toggle").check()
    assert page.locator("input.action-select").is_checked()
