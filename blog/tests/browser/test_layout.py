"""Pages fit every width, in forced colours too, and what people type stays inside its own box."""

from datetime import timedelta

import pytest
from django.utils import timezone
from model_bakery import baker

from blog import notifications
from blog.models import Follow, Notification, Post, User
from blog.tests.browser.test_accessibility import AccessibilityCheck
from conftest import PASSWORD

pytestmark = pytest.mark.browser

LANGUAGES = ["en", "es", "zh-hans"]
WIDTHS = [320, 340, 390, 600, 895, 896, 912, 928, 960, 1008, 1024, 1280]
PATHS = [
    "/",
    "/explore/",
    "/@bob/",
    "/messages/",
    "/messages/@bob/",
    "/notifications/all/",
    "/search/?q=hello",
    "/exports/",
    "/settings/",
    "/settings/profile/",
    "/settings/tokens/new/",
]

# Words of the page's own labels that are broken into two lines.
BROKEN_WORDS = """
    () => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const broken = [];
      while (walker.nextNode()) {
        const node = walker.currentNode;
        const own = ".username, .post-body, .excerpt, .user-text, option, textarea";
        if (!node.parentElement.checkVisibility() || node.parentElement.closest(own)) continue;
        for (const { 0: word, index } of node.data.matchAll(/[\\p{Script=Latin}]+/gu)) {
          const range = document.createRange();
          range.setStart(node, index);
          range.setEnd(node, index + word.length);
          const tops = [...range.getClientRects()].map(({ top }) => Math.round(top));
          if (new Set(tops).size > 1) broken.push(word);
        }
      }
      return broken;
    }
"""

MARKS = "Z" + "\u0351\u033f\u0328" * 70  # "zalgo" above and below the line
THAI_MARKS = "ก" + "\u0e49" * 200
HEBREW_MARKS = "ש" + "\u05b8\u0591" * 100
FAMILY_CHAIN = "👩" + "\u200d👩" * 100
FLAG_CHAIN = "🏴" + "\u200d🏴" * 90
JOINED_LETTERS = "م\u200d" * 140
UNRULY_TEXTS = [MARKS, THAI_MARKS, HEBREW_MARKS, FAMILY_CHAIN, FLAG_CHAIN, JOINED_LETTERS]


def page_width(page):
    return page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_fit_every_width(page, site, alice, bob, send_message, language):
    alice.is_staff, alice.language = True, language
    alice.save()
    baker.make(Post, author=bob, body="hello @alice", _quantity=2)
    send_message(bob, alice)
    for path in PATHS:
        page.goto(site + path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 740})
            assert page_width(page) == width, (path, width)
            assert page.evaluate(BROKEN_WORDS) == [], (path, width)


def pixels(page, locator, forced):
    page.emulate_media(forced_colors="active" if forced else "none")
    return locator.screenshot()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_progress_bar_shows_in_forced_colours(page, site, alice, monkeypatch, scheme):
    monkeypatch.setitem(notifications._renderers, "work", lambda payload: payload)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    payload = {"task": "one", "url": "/exports/", "active": True, "value": 50, "title": "Work"}
    payload |= {"text": "Working", "label": "50 of 100", "toast": None}
    Notification.objects.upsert(alice.pk, "work:one", payload)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    bar = page.locator("[data-progress=one] progress")
    bar.wait_for()
    shots = []
    for value in (0, 50, 90):
        bar.evaluate("(bar, value) => (bar.value = value)", value)
        shots.append(pixels(page, bar, forced=True))
    assert len(set(shots)) == 3
    bar.evaluate("bar => (bar.style.visibility = 'hidden')")
    assert pixels(page, bar.locator(".."), forced=True) != shots[0]


BORDER_COLOURS = """
    (links) => links.map((link) => {
      const style = getComputedStyle(link);
      const isDrawn = (side) => parseFloat(style[`border${side}Width`]) > 0;
      return ["Bottom", "Top"].filter(isDrawn).map((side) => style[`border${side}Color`]);
    })
"""


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("/explore/", ".site-nav-link"),
        ("/search/?q=a&in=people", ".nav-underline .nav-link"),
        ("/admin/diagnosis/", ".staff-nav a"),
    ],
)
def test_forced_colours_mark_only_current_page(page, site, alice, path, links):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(forced_colors="active")
    page.goto(site + path)
    current = page.locator(f"{links}[aria-current]").evaluate_all(BORDER_COLOURS)
    others = page.locator(f"{links}:not([aria-current])").evaluate_all(BORDER_COLOURS)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(current) == 1
    assert current[0][0] != background
    assert others
    assert {colour for pair in others for colour in pair} == {background}


@pytest.mark.parametrize("selector", [".notification-marker", ".btn-close", ".unread-badge"])
def test_forced_colours_keep_small_marks_visible(page, site, alice, bob, selector):
    Follow.objects.follow(bob, alice)
    page.emulate_media(forced_colors="active")
    page.goto(f"{site}/notifications/all/")
    page.evaluate(
        "document.querySelector('[data-toasts]').append("
        "document.querySelector('[data-toast-template]').content.cloneNode(true))"
    )
    mark = page.locator(selector).locator("visible=true").first
    box = mark.bounding_box()
    before = page.screenshot(clip=box)
    mark.evaluate("mark => (mark.style.visibility = 'hidden')")
    assert page.screenshot(clip=box) != before


def pixels_around(inner, text, around):
    """Put `text` into `inner` without a change of its height; return pictures of its neighbours."""
    inner.evaluate(
        """
        (box, text) => {
          box.style.height = `${box.offsetHeight}px`;
          box.textContent = text;
        }
        """,
        text,
    )
    return [element.screenshot() for element in around]


@pytest.mark.parametrize("text", UNRULY_TEXTS)
def test_unruly_post_stays_in_its_box(page, live_server, bob, text):
    written_at = timezone.now() - timedelta(days=3)  # a date: "5 seconds ago" would change
    bodies = iter(["below", "x", "above"])
    baker.make(Post, author=bob, body=bodies, created_at=written_at, _quantity=3)
    page.set_viewport_size({"width": 360, "height": 2000})  # scrolling would shift the pixels
    for path in ("/", "/explore/", "/@bob/"):
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")  # the avatars are loaded
        posts = page.locator(".post")
        around = [posts.nth(0).locator(".post-main"), posts.nth(2).locator(".post-main")]
        around.append(posts.nth(1).locator("header"))
        body = posts.nth(1).locator(".post-body")
        calm = pixels_around(body, "x", around)
        assert pixels_around(body, text, around) == calm, path
        assert page_width(page) == 360


@pytest.mark.parametrize("text", UNRULY_TEXTS)
def test_unruly_texts_fit_pages(page, site, alice, bob, send_message, text):
    text = text[:280]
    User.objects.filter(pk=bob.pk).update(about_me=text)
    post = baker.make(Post, author=bob, body=f"{text[:200]} @alice")
    notifications.notify_mention(post)
    send_message(bob, alice, text)
    paths = ["/@bob/", f"/posts/{post.pk}/", "/messages/", "/messages/@bob/", "/notifications/all/"]
    for path in [*paths, "/search/?q=bob&in=people", f"/search/?q={text[:60]}"]:
        page.goto(site + path)
        assert page_width(page) == 360, path
    page.goto(f"{site}/explore/")
    page.locator("a.username", has_text="bob").first.hover()
    card = page.locator(".hover-card")
    card.wait_for()
    inside = card.bounding_box()
    about = card.locator(".post-body").bounding_box()
    assert about["x"] + about["width"] <= inside["x"] + inside["width"]


@pytest.mark.parametrize("text", UNRULY_TEXTS)
def test_unruly_texts_stay_in_their_cell_of_admin(page, site, alice, bob, text):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    page.set_viewport_size({"width": 1280, "height": 800})
    posts = baker.make(Post, author=bob, body=iter(["one", "two", "three"]), _quantity=3)
    page.goto(f"{site}/admin/blog/post/")
    rows = page.locator("#result_list tbody tr")
    around = [rows.nth(0), rows.nth(2)]
    cell = rows.nth(1).locator("th")
    page.locator("#result_list").evaluate("table => (table.style.tableLayout = 'fixed')")
    calm = pixels_around(cell, "x", around)
    assert pixels_around(cell, text, around) == calm
    Post.objects.filter(pk=posts[0].pk).update(body=text[:280])
    for path in ("/admin/blog/post/", f"/admin/blog/post/{posts[0].pk}/change/"):
        page.goto(site + path)
        assert page_width(page) == 1280


def test_posts_with_many_lines_fold_in_lists(page, site, alice, bob):
    texts = {"breaks": "\n" * 138 + "end", "poem": "\n".join("abcdefghijkl"), "short": "a\nb\nc"}
    Follow.objects.follow(alice, bob)
    for body in texts.values():
        baker.make(Post, author=bob, body=f"start{body}")
    for path in ("/", "/explore/", "/@bob/"):
        page.goto(site + path)
        posts = page.locator(".post")
        assert page.get_by_role("link", name="Show more").count() == 2
        assert all(post.bounding_box()["height"] < 400 for post in posts.all())
    page.get_by_role("link", name="Show more").first.click()  # the poem
    assert page.url == f"{site}/@bob/"
    assert page.get_by_role("link", name="Show more").count() == 1
    poem = page.locator(".post-body:focus")
    assert poem.evaluate("body => body.scrollHeight <= body.clientHeight + 1")


def test_folded_post_opens_without_scripts(page, live_server, bob):
    post = baker.make(Post, author=bob, body="start" + "\n" * 50 + "end")
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{live_server.url}/explore/")
    plain.get_by_role("link", name="Show more").click()
    plain.wait_for_url(f"**/posts/{post.pk}/")
    body = plain.locator(".post-body")
    assert body.bounding_box()["height"] > 1000
    assert plain.get_by_role("link", name="Show more").count() == 0


def test_wide_pages_have_sidebar(page, site, alice, bob, make_user):
    baker.make(Post, author=bob, body="hello")
    baker.make(Post, author=make_user("carol"), body="hello")
    Follow.objects.follow(alice, User.objects.get(username="carol"))
    page.goto(f"{site}/explore/")
    sidebar = page.get_by_role("complementary")
    assert sidebar.count() == 0
    page.set_viewport_size({"width": 1280, "height": 800})
    sidebar.wait_for()
    assert sidebar.get_by_role("link", name="carol").count() == 0
    sidebar.get_by_role("button", name="Follow bob").click()
    sidebar.get_by_role("button", name="Unfollow bob").wait_for()
    sidebar.get_by_role("searchbox").fill("hello")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=hello")
    assert sidebar.get_by_role("searchbox").count() == 0
    sidebar.get_by_role("link", name="Your exports").click()
    page.wait_for_url("**/exports/")


def test_sidebar_and_grouped_notifications_are_accessible(page, site, alice, make_user):
    for name in ("bob", "carol", "dora"):
        user = make_user(name)
        Follow.objects.follow(user, alice)
        notifications.notify_mention(baker.make(Post, author=user, body="hello @alice\n" * 12))
    checker = AccessibilityCheck(page, site)
    checker.page.goto(f"{site}/accounts/login/")
    checker.submit(login="alice", password=PASSWORD)
    checker.check("/", "/explore/", "/notifications/all/", "/@bob/", "/messages/@bob/")
    assert not checker.violations, "\n".join(checker.violations)
