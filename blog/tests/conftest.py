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
