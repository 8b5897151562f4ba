"""The site in a browser without JavaScript."""

import pytest
from model_bakery import baker

from blog.models import Post
from conftest import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def plain_page(page, live_server, alice, bob):
    """Open a page without JavaScript, 360 pixels wide, and sign in as alice."""
    context = page.context.browser.new_context(
        java_script_enabled=False,
        viewport={"width": 360, "height": 740},
        locale="en",
        base_url=live_server.url,
    )
    plain_page = context.new_page()
    plain_page.set_default_timeout(10_000)
    plain_page.goto("/")
    plain_page.get_by_role("main").get_by_role("link", name="Sign in").click()
    plain_page.get_by_label("Name or e-mail address").fill("alice")
    plain_page.get_by_label("Password").fill(PASSWORD)
    plain_page.get_by_role("main").get_by_role("button", name="Sign in").click()
    plain_page.locator("summary", has_text="Menu").wait_for()
    return plain_page


def test_post_works_without_scripts(plain_page, alice):
    plain_page.get_by_label("What would you like to say?").fill("plain")
    plain_page.get_by_role("button", name="Post", exact=True).click()
    plain_page.get_by_text("Your post is out.").wait_for()
    assert plain_page.locator(".post-body").all_text_contents() == ["plain"]


def test_follow_and_pagination_work_without_scripts(plain_page, alice, bob):
    plain_page.goto("/@bob/")
    plain_page.get_by_role("button", name="Follow bob").click()
    plain_page.get_by_role("button", name="Unfollow bob").wait_for()
    assert alice.following.get().followed == bob
    baker.make(Post, author=bob, _quantity=21)
    plain_page.goto("/")
    plain_page.get_by_role("link", name="Older posts").click()
    plain_page.wait_for_url("**/?before=*")
    assert plain_page.locator(".post").count() == 1


def test_export_works_without_scripts(plain_page, alice):
    baker.make(Post, author=alice)
    plain_page.locator("summary", has_text="Menu").click()
    plain_page.get_by_role("link", name="Profile").click()
    plain_page.get_by_role("button", name="Export your posts").click()
    plain_page.wait_for_url("**/exports/*/")
    assert plain_page.locator("main progress").count() == 1
    plain_page.get_by_role("button", name="Cancel").click()
    plain_page.get_by_text("Cancelled. You can ask again whenever you like.").wait_for()


def test_sign_out_works_without_scripts(plain_page):
    plain_page.locator("summary", has_text="Menu").click()
    plain_page.get_by_role("button", name="Sign out").click()
    plain_page.get_by_role("main").get_by_role("link", name="Sign up").wait_for()


def test_unsent_post_is_kept_in_history(plain_page):
    text = plain_page.get_by_label("What would you like to say?")
    text.fill("half a thought")
    plain_page.get_by_role("button", name="Dark").click()
    plain_page.locator("html[data-theme=dark]").wait_for()
    plain_page.go_back()
    assert text.input_value() == "half a thought"
