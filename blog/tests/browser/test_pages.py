"""Layout, themes, menus and progress bars. The `page` fixture fails on violations of the CSP."""

from datetime import timedelta

import pytest
from django.utils import timezone
from model_bakery import baker

from blog import notifications
from blog.models import Notification, Post

pytestmark = pytest.mark.browser

LONG_TEXTS = [
    "W" * 500,
    "שלום עולם (mixed)",
    "👩‍👩‍👧‍👦" * 40,
    "https://microblog.example/" + "a" * 250,
    "a\n\n\nb",
]


def page_width(page):
    return page.evaluate("document.documentElement.scrollWidth")


def test_signed_in_user_can_post(page, site):
    page.get_by_label("What would you like to say?").fill("Hello 🌊")
    page.get_by_role("button", name="Post", exact=True).click()
    page.get_by_text("Your post is out.").wait_for()
    page.locator(".post-body", has_text="Hello 🌊").wait_for()


def test_character_counter_counts_like_server(page, site):
    text = page.get_by_label("What would you like to say?")
    counter = page.locator(".character-counter")
    text.fill("  🌊\n👩‍👩‍👧‍👦  ")
    assert counter.text_content() == "491"
    text.fill("🌊" * 510)
    assert counter.text_content() == "-10"
    assert text.input_value() == "🌊" * 510


def test_long_words_fit_narrow_page(page, live_server, make_user):
    author = make_user("W" * 64, about_me="x" * 280)
    for body in LONG_TEXTS:
        baker.make(Post, author=author, body=body)
    for path in ("/", author.get_absolute_url(), "/accounts/login/"):
        page.goto(live_server.url + path)
        assert page_width(page) == 360


# As many navigation links as a header will ever hold, with the longest counts.
FIVE_NAV_LINKS = """
    const list = document.querySelector(".site-nav-links");
    while (list.childElementCount < 5) list.append(list.lastElementChild.cloneNode(true));
    list.querySelectorAll(".site-nav-icon").forEach((icon) => icon.insertAdjacentHTML(
        "beforeend", "<span class='unread-badge'>99+</span>"));
"""


@pytest.mark.parametrize("language", ["en", "es", "zh-hans"])
def test_full_header_fits_narrow_page_in_one_row(page, site, alice, language):
    alice.is_staff, alice.language = True, language
    alice.save()
    page.goto(site)
    page.evaluate(FIVE_NAV_LINKS)
    header = page.locator(".site-header")
    middles = {
        round(box["y"] + box["height"] / 2)
        for box in map(box_of, header.locator(".site-nav-link, .brand, summary").all())
    }
    assert max(middles) - min(middles) <= 2
    assert box_of(header)["height"] < 64
    assert page_width(page) == 360
    page.locator("summary").click()
    page.locator(".account-menu button").wait_for()
    assert page_width(page) == 360


def box_of(locator):
    return locator.bounding_box()


@pytest.mark.parametrize("locale", ["en", "es", "zh-CN"])
def test_visitors_header_fits_in_one_row(page, live_server, locale):
    visitor = page.context.browser.new_page(viewport={"width": 360, "height": 740}, locale=locale)
    visitor.goto(live_server.url)
    visitor.evaluate(FIVE_NAV_LINKS.replace("5", "2"))
    assert box_of(visitor.locator(".site-header"))["height"] < 64
    assert page_width(visitor) == 360


def test_navigation_icons_have_names(page, site):
    header = page.get_by_role("navigation")
    for name in ("Microblog", "Home", "Explore"):
        assert header.get_by_role("link", name=name, exact=True).count() == 1
    assert header.locator("summary").inner_text().strip() == "Menu"


def test_account_menu_works_by_keyboard_and_pointer(page, site):
    summary, out = page.locator("summary"), page.get_by_role("button", name="Sign out")
    summary.press("Enter")
    out.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    out.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    summary.click()
    out.wait_for()
    page.locator(".section-title").click()
    out.wait_for(state="hidden")
    summary.press("Enter")
    page.get_by_role("link", name="Settings").focus()
    page.get_by_label("What would you like to say?").focus()
    out.wait_for(state="hidden")


def test_skip_link_gets_focus_first(page, live_server):
    page.goto(live_server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.hash") == "#content"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_system(page, live_server, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(live_server.url)
    assert is_light(page) is (scheme == "light")


def is_light(page):
    red = int(
        page.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0]
    )
    return red > 200


@pytest.mark.parametrize(("system", "chosen"), [("light", "Dark"), ("dark", "Light")])
def test_chosen_theme_overrides_system(page, live_server, system, chosen):
    page.emulate_media(color_scheme=system)
    page.goto(f"{live_server.url}/explore/")
    page.get_by_role("button", name=chosen).click()
    page.wait_for_url("**/explore/")
    page.goto(f"{live_server.url}/accounts/login/")
    assert is_light(page) is (chosen == "Light")
    page.get_by_role("button", name="System").click()
    page.locator("html[data-theme=system]").wait_for()
    assert is_light(page) is (system == "light")


def notify_progress(user, value, **extra):
    """Notify the user as a task would: progress in per cent, or its end."""
    data = {
        "task": "one",
        "url": "/exports/",
        "active": True,
        "max": 100,
        "text": "Working",
        "toast": None,
    }
    Notification.objects.upsert(
        user.pk, "work:one", data | {"value": value, "label": f"{value} of 100 posts"} | extra
    )


def notify_end(user, moment):
    toast = {"level": "success", "text": "All done", "url": "/somewhere/"}
    notify_progress(user, 99, active=False, toast=toast)
    Notification.objects.update(updated_at=moment)


def test_progress_bar_only_grows_and_becomes_toast(page, site, alice, monkeypatch):
    monkeypatch.setitem(notifications._renderers, "work", lambda payload: payload)
    bar = page.locator("[data-progress-list] [data-progress=one]")
    notify_progress(alice, 50)
    # Poll at once instead of waiting for the next interval.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    bar.get_by_text("50 of 100 posts").wait_for()
    notify_progress(alice, 20)
    bar.get_by_text("20 of 100 posts").wait_for()
    assert bar.locator("progress").evaluate("bar => bar.value") == 50
    notify_end(alice, timezone.now())
    page.get_by_text("All done").wait_for()
    assert bar.count() == 0
    assert page.locator("[data-progress-list]").bounding_box()["height"] == 0


def test_toast_is_shown_once_per_tab(page, site, alice, monkeypatch):
    monkeypatch.setitem(notifications._renderers, "work", lambda payload: payload)
    notify_end(alice, timezone.now() + timedelta(seconds=1))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_text("All done").wait_for()
    page.reload()
    with page.expect_response("**/notifications/**"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.get_by_text("All done").count() == 0
