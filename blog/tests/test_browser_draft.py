"""What is being written outlives a choice of language or theme."""

import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.browser

WORDS = "half a thought 🌊"


def storage(page):
    return page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('draft'))")


@pytest.mark.parametrize("choice", ["Dark", "Español"])
def test_a_post_that_was_not_sent_is_still_there(page, site, choice):
    text = page.locator("form.write textarea")
    text.fill(WORDS)
    page.get_by_role("button", name=choice).click()
    page.locator("html[data-theme=dark], html[lang=es]").wait_for()
    page.wait_for_load_state()
    assert text.input_value() == WORDS
    assert page.locator(".counter").text_content() == str(280 - len(WORDS))
    assert storage(page) == []
    page.locator("form.write button").click()
    page.locator(".post-body", has_text=WORDS).wait_for()
    page.goto(site)
    assert text.input_value() == ""


def test_a_post_that_was_refused_is_too(page, site):
    # Another page, whose console may tell of the refusal.
    page = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    page.goto(site)
    page.locator("form.write textarea").fill("x" * 290)
    page.locator("form.write button").click()
    page.locator("#post-error").wait_for()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("form.write textarea").input_value() == "x" * 290


def test_each_form_keeps_its_own(page, site, alice):
    post = baker.make(Post, author=alice, body="before")
    page.goto(f"{site}/posts/{post.pk}/edit/")
    page.locator("main textarea").fill("after")
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == "after"
    page.goto(f"{site}/settings/profile/")
    assert page.locator("main textarea").input_value() == ""


def test_a_draft_is_filed_under_its_author(page, site, alice):
    page.locator("form.write textarea").fill(WORDS)
    page.evaluate("document.querySelector('.choices').dispatchEvent(new Event('submit', {bubbles: true}))")
    [key] = storage(page)
    assert f" {alice.pk} " in key
