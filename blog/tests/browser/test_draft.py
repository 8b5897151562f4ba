"""Unsent text survives a change of language or theme."""

import pytest
from model_bakery import baker

from blog.models import Post
from conftest import PASSWORD

pytestmark = pytest.mark.browser

TEXT = "half a thought 🌊"


def stored_drafts(page):
    return page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('draft'))")


@pytest.mark.parametrize("choice", ["Dark", "Español"])
def test_unsent_post_survives_preference_change(page, site, choice):
    text = page.locator("form.composer textarea")
    text.fill(TEXT)
    page.get_by_role("button", name=choice).click()
    page.locator("html[data-theme=dark], html[lang=es]").wait_for()
    page.wait_for_load_state()
    assert text.input_value() == TEXT
    assert page.locator(".character-counter").text_content() == str(500 - len(TEXT))
    assert stored_drafts(page) == []
    page.locator("form.composer button").click()
    page.locator(".post-body", has_text=TEXT).wait_for()
    page.goto(site)
    assert text.input_value() == ""


def test_rejected_post_survives_preference_change(page, site):
    # Another page, whose console may log the rejection.
    page = page.context.browser.new_context(storage_state=page.context.storage_state()).new_page()
    page.goto(site)
    page.locator("form.composer textarea").fill("x" * 510)
    page.locator("form.composer").evaluate("form => form.submit()")
    page.locator("#post-error").wait_for()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("form.composer textarea").input_value() == "x" * 510


def test_unsent_message_survives_but_sent_one_does_not(page, site, bob):
    page.goto(f"{site}/messages/@bob/")
    text = page.get_by_label("Your message")
    text.fill("sent")
    page.get_by_role("button", name="Send").click()
    page.locator(".message-own", has_text="sent").wait_for()
    for typed, choice in [("", "Dark"), (TEXT, "Light")]:
        text.fill(typed)
        page.get_by_role("button", name=choice).click()
        page.locator(f"html[data-theme={choice.lower()}]").wait_for()
        page.wait_for_load_state()
        assert text.input_value() == typed


def test_drafts_are_stored_by_form(page, site, alice):
    post = baker.make(Post, author=alice, body="before")
    page.goto(f"{site}/posts/{post.pk}/edit/")
    page.locator("main textarea").fill("after")
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == "after"
    page.goto(f"{site}/settings/profile/")
    assert page.locator("main textarea").input_value() == ""


def test_unsent_report_survives_preference_change(page, site, bob):
    page.goto(f"{site}/@bob/report/")
    page.locator("main textarea").fill(TEXT)
    page.locator("main [type=radio]").nth(1).check()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == TEXT
    assert page.locator("main [type=radio]").nth(1).is_checked()


def test_unsaved_profile_survives_preference_change(page, site):
    page.goto(f"{site}/settings/profile/")
    page.locator("main textarea").fill(TEXT)
    page.get_by_label("Time zone").select_option("Europe/Madrid")
    page.get_by_role("button", name="Español").click()
    page.locator("html[lang=es]").wait_for()
    page.wait_for_load_state()
    assert page.locator("main textarea").input_value() == TEXT
    assert page.locator("[name=time_zone]").input_value() == "Europe/Madrid"
    assert page.locator("select[name=language]").input_value() == "es"  # the language just chosen


def test_unsaved_profile_survives_expired_session(page, site, alice):
    page.goto(f"{site}/settings/profile/")
    page.locator("main textarea").fill(TEXT)
    page.context.clear_cookies()
    response = page.context.request.get(
        f"{site}/accounts/login/"
    )  # a new CSRF cookie, without a session
    assert response.ok
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
    assert page.locator("main textarea").input_value() == TEXT


def test_draft_key_holds_author(page, site, alice):
    page.locator("form.composer textarea").fill(TEXT)
    form = page.locator(".preference-form").first
    form.evaluate("form => form.dispatchEvent(new Event('submit', {bubbles: true}))")
    [key] = stored_drafts(page)
    assert f" {alice.pk} " in key
