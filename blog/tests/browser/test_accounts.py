"""Sign-up and MFA in a browser. The `page` fixture fails on violations of the CSP."""

import time

import pytest

from blog.accounts.allauth_internals import format_hotp_value, hotp_value
from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD

pytestmark = pytest.mark.browser


def press(page, name):
    page.get_by_role("main").get_by_role("button", name=name).click()


def test_sign_up_confirms_address_and_signs_in(page, live_server, capture_mails):
    page.goto(live_server.url)
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("Name").fill("carol")
    page.get_by_label("E-mail address").fill("carol@microblog.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    with capture_mails() as mails:
        press(page, "Sign up")
        page.get_by_role("heading", name="Look into your mailbox").wait_for()
    page.goto(live_server.url + find_link(mails[0], "confirm-email"))
    press(page, "Confirm")
    page.get_by_text("The address carol@microblog.example is confirmed.").wait_for()
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("button", name="Sign out").wait_for()


def test_mfa_setup_asks_for_password_first(page, live_server, alice):
    page.goto(f"{live_server.url}/accounts/login/?next=/settings/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    page.get_by_role("link", name="Second factor").click()
    page.get_by_role("link", name="Set it up").click()
    page.get_by_role("heading", name="Is it you?").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Go on")
    assert (
        page.get_by_alt_text("QR code").evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
        > 100
    )
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Code from the app").fill(
        format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    )
    press(page, "Switch it on")
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert page.locator(".recovery-codes li").count() == 10
    assert page.evaluate("document.documentElement.scrollWidth") == 360
