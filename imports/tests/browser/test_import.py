"""The whole way of an import in a browser, on real processes, without accessibility violations."""

from datetime import timedelta

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from blog.models import Post
from conftest import PASSWORD
from imports.tests.readers.test_fixtures import EXPECTED, fixture

pytestmark = pytest.mark.browser

COUNT = len(EXPECTED["mastodon"]["imported"])


@pytest.fixture
def site(transactional_db, make_user, stack):
    alice = make_user("alice", date_joined=timezone.now() - timedelta(days=30))
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    stack.start()
    return stack.site_url


def sign_in(page, site):
    page.goto(f"{site}/accounts/login/?next=/imports/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def upload(page):
    archive = {
        "name": "archive.zip",
        "mimeType": "application/zip",
        "buffer": fixture("mastodon").getvalue(),
    }
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("button", name="Upload").click()


def assert_accessible(page):
    page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], "preload": False}
    found = AxeResults(page.evaluate("options => axe.run(options)", options))
    assert not found.violations_count, found.generate_report()


def test_archive_is_previewed_imported_and_undone(site, page):
    sign_in(page, site)
    assert_accessible(page)
    upload(page)
    page.get_by_role("heading", name="How some of your posts will look").wait_for()
    assert_accessible(page)
    assert not Post.objects.exists()

    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text(f"{COUNT} posts were imported").first.wait_for()
    assert_accessible(page)
    assert Post.objects.filter(source="mastodon").count() == COUNT

    page.goto(f"{site}/@alice/")
    page.get_by_text("Imported from Mastodon").first.wait_for()
    assert_accessible(page)

    page.goto(f"{site}/imports/")
    page.get_by_role("link", name="Mastodon").click()
    page.get_by_role("button", name="Undo this import").click()
    page.get_by_text("Your import was undone").first.wait_for()
    assert not Post.objects.exists()


def test_import_without_javascript_on_reload(site, page):
    plain_page = page.context.browser.new_context(java_script_enabled=False).new_page()
    sign_in(plain_page, site)
    upload(plain_page)
    reload_until(plain_page, "How some of your posts will look")
    plain_page.get_by_role("button", name="Import", exact=True).click()
    reload_until(plain_page, f"{COUNT} posts were imported")


def reload_until(page, text):
    for _attempt in range(100):
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(300)
        page.reload()
    pytest.fail(f"{text} did not appear")
