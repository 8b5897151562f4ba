"""Conversations in one and two windows, by keyboard, and without scripts."""

import pytest

from blog.models import Block, Message
from blog.pagination import PAGE_SIZE
from blog.tests.conftest import without_scripts
from conftest import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def window(page, site, bob):
    """Open a second window, signed in as bob; its console may log rejections."""
    window = page.context.browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en"
    ).new_page()
    window.goto(f"{site}/accounts/login/")
    window.get_by_label("Name or e-mail address").fill("bob")
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("main").get_by_role("button", name="Sign in").click()
    window.locator("summary", has_text="Menu").wait_for()
    return window


def write_message(page, body):
    page.get_by_label("Your message").fill(body)
    page.get_by_role("button", name="Send").click()


def bodies(page):
    return [text.strip() for text in page.locator(".message .post-body").all_text_contents()]


def test_message_arrives_in_other_window_and_is_seen(page, site, window):
    page.goto(f"{site}/@bob/")
    page.get_by_role("link", name="Message bob").click()
    window.goto(f"{site}/messages/@alice/")
    for view in (page, window):
        view.evaluate("window.isMarked = true")
    write_message(page, "Are you there?")
    window.locator(".message", has_text="Are you there?").wait_for(timeout=20_000)
    page.locator(".message-own", has_text="Seen").wait_for(timeout=20_000)
    write_message(window, "Yes!")
    page.locator(".message", has_text="Yes!").wait_for(timeout=20_000)
    window.locator(".message-own", has_text="Seen").wait_for(timeout=20_000)
    assert bodies(page) == bodies(window) == ["Are you there?", "Yes!"]
    assert page.get_by_label("Your message").input_value() == ""
    assert all(view.evaluate("window.isMarked") for view in (page, window))
    assert not Message.objects.unread().exists()


def test_new_message_shows_badge_and_toast(page, site, window, alice, bob, send_message):
    badge = window.locator("[data-badge=messages]")
    badge.wait_for(state="hidden")
    send_message(alice, bob, "our secret")
    window.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # polls at once
    toast = window.locator(".site-toast", has_text="alice wrote to you")
    toast.wait_for(timeout=20_000)
    assert toast.locator("p").inner_text() == "alice wrote to you Details"
    assert badge.inner_text().split() == ["1", "unread"]
    assert "our secret" not in window.content()
    toast.get_by_role("link").click()
    window.locator(".message", has_text="our secret").wait_for()
    badge.wait_for(state="hidden", timeout=20_000)
    assert not Message.objects.unread().exists()


def test_older_unread_message_shows_no_toast(page, site, window, alice, bob, send_message):
    send_message(alice, bob)
    window.goto(f"{site}/explore/")
    assert window.locator("[data-badge=messages]").is_visible()
    with window.expect_response("**/notifications/**"):
        window.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    window.evaluate("new Promise(requestAnimationFrame)")
    assert window.locator(".site-toast").count() == 0


def test_double_click_sends_one_message(page, site, bob):
    page.goto(f"{site}/messages/@bob/")
    page.get_by_label("Your message").fill("once")
    page.get_by_role("button", name="Send").dblclick()
    page.locator(".message", has_text="once").wait_for()
    write_message(page, "more")
    page.locator(".message", has_text="more").wait_for()
    assert list(Message.objects.values_list("body", flat=True)) == ["once", "more"]


def test_enter_breaks_line_and_control_enter_sends(page, site, bob):
    page.goto(f"{site}/messages/@bob/")
    text = page.get_by_label("Your message")
    text.press_sequentially("one\ntwo")
    assert page.locator(".character-counter").text_content() == "1,993"
    text.press("Control+Enter")
    page.locator(".message").wait_for()
    assert Message.objects.get().body == "one\ntwo"


def test_older_messages_load_without_scroll_jump(page, site, alice, bob, send_message):
    for number in range(2 * PAGE_SIZE + 5):
        send_message(bob, alice, f"number {number}")
    page.goto(f"{site}/messages/@bob/")
    page.evaluate("window.isMarked = true")
    first = page.locator(".message", has_text="number 25")
    for count in (2 * PAGE_SIZE, 2 * PAGE_SIZE + 5):
        link = page.get_by_role("link", name="Older messages")
        link.scroll_into_view_if_needed()
        before = first.bounding_box()["y"]
        link.press("Enter")
        page.locator(".message").nth(count - 1).wait_for()
        assert abs(first.bounding_box()["y"] - before) < 50
    assert bodies(page) == [f"number {number}" for number in range(2 * PAGE_SIZE + 5)]
    assert page.get_by_role("link", name="Older messages").count() == 0
    assert page.evaluate("window.isMarked")


def test_rejected_message_keeps_text(window, site, alice, bob, send_message):
    send_message(bob, alice)
    window.goto(f"{site}/messages/@alice/")
    window.get_by_label("Your message").fill("x" * 2001)
    window.locator("form.composer").evaluate("form => form.submit()")
    window.get_by_text("Your message has 2001 characters").wait_for()
    assert window.get_by_label("Your message").input_value() == "x" * 2001


def test_hidden_page_does_not_poll(page, site, alice, bob, send_message):
    page.add_init_script(
        "Object.defineProperty(document, 'hidden', { get: () => !window.isShown })"
    )
    page.goto(f"{site}/messages/@bob/")
    send_message(bob, alice)
    requested = []
    page.on(
        "request",
        lambda request: requested.append(request.url) if request.resource_type == "fetch" else None,
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert not requested
    page.evaluate("window.isShown = true; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(".message").wait_for()
    page.locator(".message:not([data-unread])").wait_for()


def test_messages_work_without_scripts(window, site, alice, bob, send_message):
    window = without_scripts(window)
    for number in range(PAGE_SIZE + 1):
        send_message(alice, bob, f"number {number}")
    window.goto(f"{site}/messages/")
    window.get_by_role("link", name="alice").click()
    window.get_by_role("button", name="Mark as read").click()
    window.get_by_role("button", name="Mark as read").wait_for(state="hidden")
    assert not Message.objects.unread().exists()
    write_message(window, "plain")
    window.locator(".message-own", has_text="plain").wait_for()
    window.get_by_role("link", name="Older messages").click()
    window.get_by_text("number 0", exact=True).wait_for()
    window.get_by_role("link", name="Back to the newest").click()
    window.locator(".message-own", has_text="plain").wait_for()
    Block.objects.block(alice, bob)
    write_message(window, "too late")
    window.get_by_text("Your message was not sent.").wait_for()
    assert window.get_by_label("Your message").input_value() == "too late"


@pytest.mark.parametrize("count", [0, 3, 30])
@pytest.mark.parametrize("size", [(360, 740), (1280, 800), (320, 500)])
def test_composer_stays_at_bottom_of_window(page, site, alice, bob, send_message, count, size):
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    for number in range(count):
        send_message(*((alice, bob) if number % 2 else (bob, alice)), f"number {number}")
    page.goto(f"{site}/messages/@bob/#newest")
    composer = page.locator(".message-composer")
    positions = []
    for top in (0, 1, 2):
        page.evaluate(f"scrollTo(0, {top} * document.documentElement.scrollHeight / 4)")
        box = composer.bounding_box()
        positions.append(box["y"] + box["height"])
        assert box["height"] < 80
    assert all(position <= height for position in positions)
    if count == 30:
        page.evaluate("scrollTo(0, 0)")
        box = composer.bounding_box()
        assert abs(box["y"] + box["height"] - height) <= 1


def test_newest_message_is_not_covered_by_composer(page, site, alice, bob, send_message):
    for number in range(30):
        send_message(bob, alice, f"number {number}")
    page.goto(f"{site}/messages/@bob/")
    for body in (None, "another one", "two\nlines"):
        if body:
            page.get_by_label("Your message").fill(body)
            page.get_by_role("button", name="Send").click()
            page.locator(".message-own", has_text=body.split("\n")[0]).wait_for()
        last = page.locator(".message").last.bounding_box()
        composer = page.locator(".message-composer").bounding_box()
        assert last["y"] + last["height"] <= composer["y"]
