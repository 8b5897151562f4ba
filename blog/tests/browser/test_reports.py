"""Reports from reporter to staff to author, and mutes and blocks."""

import pytest
from model_bakery import baker

from blog.models import Post
from blog.tests.conftest import without_scripts
from conftest import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(page, address, name):
    page.context.clear_cookies()
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="Menu").wait_for()
    page.wait_for_load_state()


def test_staff_handle_report_and_author_reads_reason(page, site, bob, staff):
    baker.make(Post, author=bob, body="Buy my boats")
    page.goto(f"{site}/explore/")
    page.locator("summary", has_text="More about this post by bob").click()
    page.get_by_role("link", name="Report this post").click()
    page.get_by_label("Spam or advertising").check()
    page.get_by_label("What should staff know?").fill("The same every day")
    page.get_by_role("button", name="Report").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360

    sign_in(page, site, "staff")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site}/admin/blog/report/")
    page.get_by_role("link", name="Spam or advertising: bob").click()
    page.get_by_text("The same every day").wait_for()
    page.get_by_role("link", name="Hide the post").click()
    page.get_by_label("Reason").fill("No advertising here")
    page.get_by_role("button", name="Hide the post").click()
    page.get_by_text("The post is hidden.").wait_for()

    sign_in(page, site, "bob")
    page.goto(f"{site}/@bob/")
    page.get_by_text("Hidden by staff on").wait_for()
    assert "No advertising here" in page.locator(".post-hidden").inner_text()
    sign_in(page, site, "alice")
    page.goto(f"{site}/explore/")
    page.get_by_text("Nobody has written anything yet.").wait_for()


def test_more_menu_works_by_keyboard(page, site, bob):
    page.goto(f"{site}/@bob/")
    summary = page.locator(".more-menu summary")
    summary.press("Enter")
    page.get_by_role("button", name="Mute bob").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Mute bob"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Mute bob").wait_for(state="hidden")
    assert summary.evaluate("summary => summary === document.activeElement")
    summary.click()
    page.get_by_role("heading", name="bob").click()
    page.get_by_role("button", name="Mute bob").wait_for(state="hidden")


def test_mute_and_block_work_without_scripts(page, site, alice, bob):
    page = without_scripts(page)
    baker.make(Post, author=bob, body="Buy my boats")
    page.goto(f"{site}/explore/")
    page.locator(".more-menu summary").click()
    page.get_by_role("button", name="Mute bob").click()
    page.get_by_text("You will not come across bob any more.").wait_for()
    assert page.locator(".post").count() == 0
    page.goto(f"{site}/@bob/")
    page.locator(".more-menu summary").first.click()
    page.get_by_role("link", name="Block bob").click()
    page.get_by_role("button", name="Block", exact=True).click()
    page.get_by_role("button", name="Unblock").click()
    page.get_by_text("Buy my boats").wait_for()
    assert not alice.blocks.exists()
