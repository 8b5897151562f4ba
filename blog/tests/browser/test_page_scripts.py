"""Posting, pagination, following and hover cards without leaving the page."""

import re

import pytest
from model_bakery import baker

from blog.models import Follow, Post

pytestmark = pytest.mark.browser


def mark_page(page):
    """Mark the page, so that `is_same_page` can tell whether it was left."""
    page.evaluate("window.isMarked = true")


def is_same_page(page):
    return page.evaluate("window.isMarked === true")


def test_new_post_appears_without_reload(page, site):
    page.get_by_text("Nothing here yet.").wait_for()
    mark_page(page)
    text = page.get_by_label("What would you like to say?")
    text.fill("one")
    page.get_by_role("button", name="Post", exact=True).click()
    page.get_by_text("Your post is out.").wait_for()
    text.fill("two")
    page.get_by_role("button", name="Post", exact=True).click()
    page.locator(".post-body", has_text="two").wait_for()
    assert page.locator(".post-body").all_text_contents() == ["two", "one"]
    assert page.get_by_text("Nothing here yet.").count() == 0
    assert text.input_value() == ""
    assert page.locator(".character-counter").text_content() == "500"
    assert is_same_page(page)


def test_older_posts_are_appended_in_place(page, live_server):
    baker.make(Post, body=iter(f"number {n}" for n in range(45)), _quantity=45)
    page.goto(live_server.url)
    mark_page(page)
    for count in (40, 45):
        page.get_by_role("link", name="Older posts").press("Enter")
        page.locator(".post").nth(count - 1).wait_for()
    assert page.get_by_role("link", name="Older posts").count() == 0
    bodies = page.locator(".post-body").all_text_contents()
    assert bodies == [f"number {n}" for n in reversed(range(45))]
    assert is_same_page(page)
    assert (
        page.evaluate("document.activeElement.querySelector('.post-body').textContent")
        == "number 4"
    )


def test_follow_on_profile_updates_button_and_count(page, site, alice, bob):
    page.goto(f"{site}/@bob/")
    mark_page(page)
    page.get_by_role("button", name="Follow bob").click()
    page.get_by_role("button", name="Unfollow bob").wait_for()
    assert re.search(r"1\s+follower", page.locator(".profile-counts").inner_text())
    assert alice.following.get().followed == bob
    page.get_by_role("button", name="Unfollow bob").click()
    page.get_by_role("button", name="Follow bob", exact=True).wait_for()
    assert not Follow.objects.exists()
    assert is_same_page(page)


def test_follow_from_list_updates_button(page, site, alice, bob, make_user):
    baker.make(Follow, follower=bob, followed=make_user("carol"))
    page.goto(f"{site}/@carol/followers/")
    mark_page(page)
    page.get_by_role("button", name="Follow bob").click()
    page.get_by_role("button", name="Unfollow bob").wait_for()
    assert alice.following.exists()
    assert is_same_page(page)


def test_hover_card_follows_pointer(page, site, bob):
    baker.make(Post, author=bob, body="hello")
    page.goto(f"{site}/explore/")
    card = page.locator(".hover-card")
    page.locator("main a.username", has_text="bob").hover()
    card.get_by_role("button", name="Follow bob").click()
    card.get_by_role("button", name="Unfollow bob").wait_for()
    page.get_by_role("heading", name="Explore").hover()
    card.wait_for(state="detached")


def test_hover_card_works_by_keyboard(page, site, alice, bob):
    baker.make(Post, author=bob, body="hello @alice")
    page.goto(f"{site}/explore/")
    page.locator("main").focus()
    for _ in range(2):  # skip the link to the feed
        page.keyboard.press("Tab")
    card = page.locator(".hover-card")
    card.wait_for()
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.innerText.trim()"))
    assert names[-1].startswith("Follow")
    page.keyboard.press("Enter")
    card.get_by_role("button", name="Unfollow bob").wait_for()
    assert alice.following.exists()
    page.keyboard.press("Escape")
    assert card.count() == 0
    assert page.evaluate("document.activeElement.className") == "username"


def test_time_zone_cookie_is_set(page, live_server):
    page.goto(live_server.url)
    time_zone = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert cookies["zone"] == time_zone.replace("/", "%2F")


def test_own_posts_have_same_menu_as_others(page, site, alice, bob):
    Follow.objects.follow(alice, bob)
    baker.make(Post, author=bob, body="theirs")
    post = baker.make(Post, author=alice, body="mine")
    for path in ("/", "/explore/", f"/posts/{post.pk}/", "/search/?q=mine", "/@alice/"):
        page.goto(site + path)
        own = page.locator(".post", has_text="mine")
        assert own.get_by_role("link", name="Edit").count() == 0
        summary = own.locator("summary", has_text="More about this post by alice")
        summary.press("Enter")
        own.get_by_role("link", name="Delete").wait_for()
        page.keyboard.press("Escape")
        own.get_by_role("link", name="Delete").wait_for(state="hidden")
    summary.click()
    own.get_by_role("link", name="Edit").click()
    page.wait_for_url(f"**/posts/{post.pk}/edit/")


def test_new_post_has_menu_without_reload(page, site):
    page.get_by_label("What would you like to say?").fill("fresh")
    page.get_by_role("button", name="Post", exact=True).click()
    page.locator(".post summary").click()
    page.locator(".post").get_by_role("link", name="Delete").click()
    page.get_by_role("heading", name="Delete this post?").wait_for()


# Stop the clock's pauses: count the timers that wait, and let the test end them.
COUNT_TIMERS = """
    window.waiting = new Set();
    const set = window.setTimeout, clear = window.clearTimeout;
    window.setTimeout = (action, pause, ...rest) => {
      const timer = set(() => { window.waiting.delete(timer); action(...rest); }, pause);
      if (pause > 500) window.waiting.add(timer);
      return timer;
    };
    window.clearTimeout = (timer) => { window.waiting.delete(timer); clear(timer); };
"""


@pytest.mark.parametrize("path", ["/explore/", "/messages/@bob/", "/exports/"])
def test_page_has_one_polling_timer(page, site, bob, path):
    page.add_init_script(COUNT_TIMERS)
    page.goto(site + path)
    for _ in range(3):
        with page.expect_response("**/notifications/?*"):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.waiting.size") == 1


def test_failed_poll_slows_down_only_its_own_source(page, site, bob):
    page = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    page.clock.install()
    requested = []
    page.route("**/notifications/?*", lambda route: route.fulfill(status=500))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{site}/messages/@bob/")
    for number in range(1, 10):
        with page.expect_response("**/messages/@bob/news/?*"):
            page.clock.run_for(2_500 * (number > 1))
    # 20 seconds: the first request after 10, the next one 20 later.
    assert len([url for url in requested if "/notifications/?" in url]) == 1
