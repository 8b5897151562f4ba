"""Fixtures of the blog's tests."""

import pytest

from conftest import PASSWORD


@pytest.fixture
def as_alice(client, alice):
    """Return a client with alice signed in."""
    client.force_login(alice)
    return client


@pytest.fixture
def site(page, live_server, alice):
    """Return the site's URL, with alice signed in to the browser."""
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.locator("summary", has_text="Menu").wait_for()
    page.wait_for_load_state()  # its scripts have run
    return live_server.url


def without_scripts(page):
    """Return another page with the same sessions and JavaScript disabled."""
    browser, state = page.context.browser, page.context.storage_state()
    size = {"width": 360, "height": 740}
    return browser.new_context(
        java_script_enabled=False, storage_state=state, viewport=size, locale="en"
    ).new_page()
