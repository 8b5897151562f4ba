"""The composers of posts and messages: limits, growth, and the reason why nothing can be sent."""

import pytest
from model_bakery import baker

from blog.models import MAX_POST_LENGTH, Message, Post
from blog.tests.conftest import without_scripts

pytestmark = pytest.mark.browser


@pytest.fixture
def composers(site, alice):
    """Return the pages with a composer, the longest text each accepts, and its button."""
    post = baker.make(Post, author=alice, body="before")
    return [
        (f"{site}/", MAX_POST_LENGTH, "Post"),
        (f"{site}/posts/{post.pk}/edit/", MAX_POST_LENGTH, "Save"),
        (f"{site}/messages/@bob/", 2000, "Send"),
    ]


def test_button_is_disabled_with_reason(page, composers, bob):
    for url, limit, button in composers:
        page.goto(url)
        text = page.locator(".composer textarea")
        submit = page.get_by_role("button", name=button, exact=True)
        status = page.locator(".composer [data-status]")
        for unsendable, reason in [
            ("", "Write something first"),
            (" \n\t ", "Write something first"),
            ("x" * (limit + 1), "too long"),
            ("é🌊" * (limit // 2) + "x", "too long"),
        ]:
            text.fill(unsendable)
            assert submit.is_disabled(), (url, unsendable[:5])
            assert reason in status.inner_text()
            text.press("Control+Enter")
        for sendable in ("x", "x" * limit, "🌊" * limit, f"  {'é' * limit}\n"):
            text.fill(sendable)
            assert submit.is_enabled(), (url, sendable[:5])
            assert "Write something" not in status.inner_text()
        assert page.url == url
    assert not Message.objects.exists()


def test_empty_post_is_explained_without_scripts(page, site, composers):
    plain = without_scripts(page)
    plain.goto(site)
    plain.locator(".composer textarea").fill("  \n ")
    plain.get_by_role("button", name="Post", exact=True).click()
    plain.get_by_text("Your post is empty.").wait_for()
    assert plain.get_by_role("button", name="Post", exact=True).is_enabled()


def paste(page, locator, text):
    """Paste the text: `fill` takes minutes for thousands of lines."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    locator.focus()
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+V")


@pytest.mark.parametrize("text", ["line\n" * 10_000, "a\n\n" * 1_000, "W" * 5_000, "字" * 3_000])
def test_composer_has_maximum_height(page, composers, bob, text):
    for url, _limit, button in composers:
        page.goto(url)
        composer = page.locator(".composer textarea")
        paste(page, composer, text)
        assert composer.input_value() == text
        box = composer.bounding_box()
        assert box["height"] <= 370  # half of the window
        assert page.get_by_role("button", name=button, exact=True).is_disabled()
        assert page.evaluate("document.documentElement.scrollHeight") < 2 * 740


@pytest.mark.parametrize("has_field_sizing", [True, False])
def test_message_composer_grows_from_one_line(page, site, bob, has_field_sizing):
    if not has_field_sizing:  # as in Firefox
        page.add_init_script("CSS.supports = () => false")
    page.goto(f"{site}/messages/@bob/")
    if not has_field_sizing:
        page.evaluate("document.querySelector('.composer textarea').style.fieldSizing = 'fixed'")
    text = page.get_by_label("Your message")
    heights = []
    for lines in (1, 2, 4, 100):
        text.fill("\n".join("x" * lines))
        heights.append(text.bounding_box()["height"])
    assert heights[0] < 50
    assert heights == sorted(set(heights))
    text.fill("")
    assert text.bounding_box()["height"] == heights[0]
