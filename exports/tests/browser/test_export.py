"""Export of posts in a browser, on real processes."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.hashers import make_password

from blog.models import Post, User
from conftest import PASSWORD
from dev.stack import Stack
from exports.models import ExportTask, Status

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BAR = "[data-progress-list] [data-progress]"

# Record each value of the bar at the top; runs before the page's own scripts.
RECORD_VALUES = """
    window.seen = [];
    const record = () => document.querySelectorAll("[data-progress-list] progress").forEach(
      (bar) => window.seen.push(bar.value)
    );
    new MutationObserver(record).observe(
      document, {subtree: true, childList: true, attributes: true}
    );
"""


@pytest.fixture
def alice(
    transactional_db: None, make_user: Callable[..., User], create_posts: Callable[..., list[Post]]
) -> User:
    """Return alice with posts.

    Her password uses a hasher of the site, because its processes do not know the tests' fast one.
    """
    alice = make_user("alice")
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    create_posts(alice, 1200)
    return alice


@pytest.fixture
def site(alice: User, stack: Stack) -> str:
    """Return the URL of a site that exports alice's posts in about four seconds.

    Leases are long, so that a slow machine does not lose one.
    """
    stack.env |= {
        "EXPORT_MAX_RATE": "300",
        "EXPORT_LEASE_SECONDS": "20",
        "EXPORT_TICK_SECONDS": "5",
    }
    stack.start()
    return stack.site_url


def sign_in(page: "Page", site: str) -> None:
    page.goto(f"{site}/accounts/login/?next=/@alice/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Export your posts").wait_for()


def wait_for_progress(page: "Page") -> None:
    page.locator("main progress:not([value='0'])").wait_for()


def test_progress_bar_from_request_to_download(site, page):
    page.add_init_script(RECORD_VALUES)
    sign_in(page, site)
    page.get_by_role("button", name="Export your posts").click()
    page.locator("main").get_by_text(re.compile(r"^[\d,]+ of 1,200 posts$")).wait_for()
    wait_for_progress(page)
    seen = page.evaluate("window.seen")

    page.get_by_role("link", name="Home").click()
    page.locator(BAR).get_by_text("Your archive is being built").wait_for()
    page.get_by_text("Your archive is in your mailbox").wait_for()
    seen += page.evaluate("window.seen")
    assert page.locator(BAR).count() == 0
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert max(seen) <= 99

    page.locator("summary", has_text="Menu").click()
    page.get_by_role("link", name="Exports", exact=True).click()
    page.get_by_text("Finished").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "posts.json"


def test_request_and_cancel_by_keyboard(site, page, alice, create_posts):
    create_posts(alice, 10_000)  # enough to be unfinished when Cancel is pressed
    sign_in(page, site)
    press(page, "Export your posts")
    wait_for_progress(page)

    press(page, "Cancel")

    page.get_by_text("Cancelled. You can ask again whenever you like.").wait_for()
    assert page.locator("progress").count() == 0
    assert ExportTask.objects.get().status == Status.CANCELLED


def press(page: "Page", button: str) -> None:
    """Move the focus to the button with Tab, and press Enter."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == button:
            page.keyboard.press("Enter")
            return
    pytest.fail(f"{button} is not reachable by keyboard")


def test_progress_without_javascript_on_reload(site, page):
    plain_page = page.context.browser.new_context(java_script_enabled=False).new_page()
    sign_in(plain_page, site)
    plain_page.get_by_role("button", name="Export your posts").click()
    values = [_value(plain_page)]
    while plain_page.get_by_text("Finished").count() == 0:
        plain_page.wait_for_timeout(500)
        plain_page.reload()
        values.append(_value(plain_page))

    shown = [value for value in values if value is not None]
    assert shown == sorted(shown)
    assert any(0 < value < 99 for value in shown)
    plain_page.get_by_role("link", name="Download").wait_for()


def _value(page: "Page") -> int | None:
    """Return the value of the bar at the top; None if there is no bar."""
    bar = page.locator(f"{BAR} progress")
    return int(bar.get_attribute("value") or 0) if bar.count() else None
