"""A site in a browser."""

import pytest

from conftest import PASSWORD


@pytest.fixture
def site(page, live_server, alice):
    """The address of the site, with alice signed in."""
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="Menu").wait_for()
    page.wait_for_load_state()  # its scripts have run
    return live_server.url


def without_scripts(page):
    """Another page with the same sessions, in which no script runs."""
    browser, state = page.context.browser, page.context.storage_state()
    size = {"width": 360, "height": 740}
    return browser.new_context(
        java_script_enabled=False, storage_state=state, viewport=size, locale="en"
    ).new_page()
