"""The site in a browser that runs no scripts."""

import pytest
from model_bakery import baker

from blog.models import Post
from conftest import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def plain(page, live_server, alice, bob):
    """A page without JavaScript, 360 pixels wide, with alice signed in by hand."""
    context = page.context.browser.new_context(
        java_script_enabled=False,
        viewport={"width": 360, "height": 740},
        locale="en",
        base_url=live_server.url,
    )
    plain = context.new_page()
    plain.set_default_timeout(10_000)
    plain.goto("/")
    plain.get_by_role("main").get_by_role("link", name="Sign in").click()
    plain.get_by_label("Name or e-mail address").fill("alice")
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("main").get_by_role("button", name="Sign in").click()
    plain.locator("summary", has_text="Menu").wait_for()
    return plain


def test_a_post_is_written(plain, alice):
    plain.get_by_label("What would you like to say?").fill("plain")
    plain.get_by_role("button", name="Post", exact=True).click()
    plain.get_by_text("Your post is out.").wait_for()
    assert plain.locator(".post-body").all_text_contents() == ["plain"]


def test_somebody_is_followed_and_their_older_posts_are_paged(plain, alice, bob):
    plain.goto("/@bob/")
    plain.get_by_role("button", name="Follow bob").click()
    plain.get_by_role("button", name="Unfollow bob").wait_for()
    assert alice.following.get().followed == bob
    baker.make(Post, author=bob, _quantity=21)
    plain.goto("/")
    plain.get_by_role("link", name="Older posts").click()
    plain.wait_for_url("**/?before=*")
    assert plain.locator(".post").count() == 1


def test_an_export_is_asked_for_and_its_page_shows_where_it_stands(plain, alice):
    baker.make(Post, author=alice)
    plain.locator("summary", has_text="Menu").click()
    plain.get_by_role("link", name="Profile").click()
    plain.get_by_role("button", name="Export your posts").click()
    plain.wait_for_url("**/exports/*/")
    assert plain.locator("main progress").count() == 1
    plain.get_by_role("button", name="Cancel").click()
    plain.get_by_text("Cancelled. You can ask again whenever you like.").wait_for()


def test_the_menu_leads_out(plain):
    plain.locator("summary", has_text="Menu").click()
    plain.get_by_role("button", name="Sign out").click()
    plain.get_by_role("main").get_by_role("link", name="Sign up").wait_for()


def test_what_was_being_written_waits_one_page_back(plain):
    text = plain.get_by_label("What would you like to say?")
    text.fill("half a thought")
    plain.get_by_role("button", name="Dark").click()
    plain.locator("html[data-theme=dark]").wait_for()
    plain.go_back()
    assert text.input_value() == "half a thought"
