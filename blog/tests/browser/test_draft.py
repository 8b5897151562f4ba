"""What is being written outlives a choice of language or theme."""

import pytest
from model_bakery import baker

from blog.models import Post
from conftest import PASSWORD

pytestmark = pytest.mark.browser

WORDS = "half a thought 🌊"


def storage(page):
    return page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('draft'))")


@pytest.mark.parametrize("choice", ["Dark", "Español"])
def test_a_post_that_was_not_sent_is_still_there(page, site, choice):
    text = page.locator("form.composer textarea")
    text.fill(WORDS)
    page.get_by_role("button", name=choice).click()
    page.locator("html[data-theme=dark], html[lang=es]").wait_for()
    page.wait_for_load_state()
    assert text.input_value() == WORDS
    assert page.locator(".character-counter").text_content() == str(280 - len(WORDS))
    assert storage(page) == []
    page.locator("form.composer button").click()
    page.locator(".post-body", has_text=WORDS).wait_for()
    page.goto(site)
    assert text.input_value() == ""


def test_a_post_that_was_refused_is_too(page, site):
    # Another page, whose console may tell of the refusal.
    page = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    page.goto(site)
    page.locator("form.composer textarea").fill("x" * 290)
    page.locator("form.composer button").click()
    page.locator("#post-error").wait_for()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("form.composer textarea").input_value() == "x" * 290


def test_so_is_a_message_and_none_that_is_sent(page, site, bob):
    page.goto(f"{site}/messages/@bob/")
    text = page.get_by_label("Your message")
    text.fill("sent")
    page.get_by_role("button", name="Send").click()
    page.locator(".message-own", has_text="sent").wait_for()
    for typed, choice in [("", "Dark"), (WORDS, "Light")]:
        text.fill(typed)
        page.get_by_role("button", name=choice).click()
        page.locator(f"html[data-theme={choice.lower()}]").wait_for()
        page.wait_for_load_state()
        assert text.input_value() == typed


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


def test_a_report_and_its_reason_are_too(page, site, bob):
    page.goto(f"{site}/@bob/report/")
    page.locator("main textarea").fill(WORDS)
    page.locator("main [type=radio]").nth(1).check()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == WORDS
    assert page.locator("main [type=radio]").nth(1).is_checked()


def test_so_is_all_of_a_profile(page, site):
    page.goto(f"{site}/settings/profile/")
    page.locator("main textarea").fill(WORDS)
    page.get_by_label("Time zone").select_option("Europe/Madrid")
    page.get_by_role("button", name="Español").click()
    page.locator("html[lang=es]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == WORDS
    assert page.locator("[name=time_zone]").input_value() == "Europe/Madrid"
    assert page.locator("select[name=language]").input_value() == "es"  # which was only just chosen


def test_a_profile_waits_behind_the_sign_in(page, site, alice):
    page.goto(f"{site}/settings/profile/")
    page.locator("main textarea").fill(WORDS)
    page.context.clear_cookies()
    csrf = page.context.request.get(f"{site}/accounts/login/")  # a new cookie, of nobody's session
    assert csrf.ok
    [token] = [
        cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken"
    ]
    page.locator("main [name=csrfmiddlewaretoken]").evaluate(
        "(field, token) => (field.value = token)", token
    )
    page.get_by_role("button", name="Save").click()
    page.get_by_text("What you wrote is kept.").wait_for()
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/settings/profile/")
    assert page.locator("main textarea").input_value() == WORDS


def test_a_draft_is_filed_under_its_author(page, site, alice):
    page.locator("form.composer textarea").fill(WORDS)
    page.evaluate(
        "document.querySelector('.preference-form').dispatchEvent(new Event('submit', {bubbles: true}))"
    )
    [key] = storage(page)
    assert f" {alice.pk} " in key
