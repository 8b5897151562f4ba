"""`make screenshots`: save every page in two widths, light and dark, to var/screenshots/."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dev.pytest_plugin import chromium
from dev.stack import ROOT, Stack, StackError, end_on_signals

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "microblog-demo"
ENABLE_AND_CLICK = "button => { button.disabled = false; button.click(); }"
SIZES = {"narrow": (390, 844), "wide": (1280, 900)}
VARIANTS = [
    (name, width, height, scheme)
    for name, (width, height) in SIZES.items()
    for scheme in ("light", "dark")
]
LONG_NAME = "paul.van.der.berg-de-jong-and-other-names-that-never-seem-to-end"

ANONYMOUS_PAGES = {
    "home-anonymous": "/",
    "explore-anonymous": "/explore/",
    "login": "/accounts/login/",
    "signup": "/accounts/signup/",
    "signup-sent": "/accounts/confirm-email/",
    "confirm-stale": "/accounts/confirm-email/stale/",
    "password-reset": "/accounts/password/reset/",
    "password-reset-sent": "/accounts/password/reset/done/",
    "password-reset-stale": "/accounts/password/reset/key/1-stale/",
    "password-reset-done": "/accounts/password/reset/key/done/",
    "inactive": "/accounts/inactive/",
    "api-docs": "/api/docs/",
    "404": "/nowhere/",
    "405": "/language/",
}
USER_PAGES = {
    "home": "/",
    "explore": "/explore/",
    "profile": "/@demo/",
    "profile-other": "/@Lucia_Ferrer/",
    "profile-long-name": f"/@{LONG_NAME}/",
    "profile-empty": "/@empty/",
    "followers": "/@demo/followers/",
    "following": "/@demo/following/",
    "followers-none": "/@empty/followers/",
    "messages": "/messages/",
    "conversation": "/messages/@ada.lindqvist/",
    "conversation-new": "/messages/@noor/",
    "notifications": "/notifications/all/",
    "search": "/search/",
    "search-posts": "/search/?q=train",
    "search-people": "/search/?q=caf%C3%A9&in=people",
    "search-none": "/search/?q=zzzz",
    "exports-none": "/exports/",
    "export-new-account": "/exports/new/account/",
    "export-new-posts": "/exports/new/posts/",
    "imports-none": "/imports/",
    "settings": "/settings/",
    "settings-profile": "/settings/profile/",
    "settings-notifications": "/settings/notifications/",
    "settings-blocks": "/settings/blocks/",
    "block": "/@Lucia_Ferrer/block/",
    "report": "/@Lucia_Ferrer/report/",
    "settings-sessions": "/accounts/sessions/",
    "settings-delete": "/settings/delete/",
    "logout": "/accounts/logout/",
    "reauthenticate": "/accounts/reauthenticate/",
}
# Pages that ask for the password again.
REAUTHENTICATED_PAGES = {
    "settings-email": "/accounts/email/",
    "settings-password": "/accounts/password/change/",
    "settings-second-factor": "/accounts/2fa/",
    "settings-second-factor-set-up": "/accounts/2fa/totp/activate/",
    "settings-tokens-none": "/settings/tokens/",
    "settings-token-new": "/settings/tokens/new/",
}
STAFF_PAGES = {
    "staff": "/admin/",
    "staff-exports": "/admin/exports/exporttask/",
    "staff-stuck": "/admin/diagnosis/",
    "staff-selftest": "/admin/selftest/",
    "staff-queue": "/admin/django_rq/dashboard/",
    "staff-queue-details": "/admin/django_rq/dashboard/queues/0/details/",
    "staff-jobs": "/admin/django_rq/dashboard/queues/0/finished/",
    "staff-workers": "/admin/django_rq/dashboard/workers/0/",
    "staff-reports": "/admin/blog/report/",
}


class Camera:
    """Screenshots of a browser page in all variants, numbered in order."""

    def __init__(self, page: "Page", site: str, folder: Path) -> None:
        self.page = page
        self.site = site
        self.folder = folder
        self.count = 0

    def visit(self, paths: dict[str, str]) -> None:
        for name, path in paths.items():
            self.page.goto(self.site + path)
            self.take(name)

    def take(self, name: str) -> None:
        self.count += 1
        for size, width, height, scheme in VARIANTS:
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.emulate_media(
                color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
            )
            self.page.evaluate(
                "document.querySelector('.hover-card')?.scrollIntoView({block: 'center'})"
            )
            self.page.screenshot(path=self.folder / f"{self.count:02}-{name}-{size}-{scheme}.png")

    def submit(self, **fields: str) -> None:
        """Fill in and submit the page's first form without the browser's own validation.

        A script disables the button of a text that the server would reject: enable it.
        """
        form = self.page.locator("main form").first
        form.evaluate("form => form.noValidate = true")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        with self.page.expect_navigation():
            form.locator("button[type=submit]").last.evaluate(ENABLE_AND_CLICK)

    def sign_in(self, name: str) -> None:
        self.page.goto(f"{self.site}/accounts/login/")
        self.submit(login=name, password=PASSWORD)


def take_all(camera: Camera) -> None:
    page = camera.page
    camera.visit(ANONYMOUS_PAGES)
    page.goto(f"{camera.site}/accounts/login/")
    camera.submit(login="demo", password="wrong")
    camera.take("login-invalid")
    page.goto(f"{camera.site}/accounts/signup/")
    camera.submit(username="demo", email="nothing", password1="1", password2="2")
    camera.take("signup-invalid")
    camera.sign_in("demo")
    camera.visit(USER_PAGES)
    _take_posts(camera)
    camera.visit({"reauthenticate-again": "/accounts/reauthenticate/"})
    camera.submit(password=PASSWORD)
    camera.visit(REAUTHENTICATED_PAGES)
    camera.submit(name="Backup at home")
    camera.take("settings-token-created")
    camera.visit({"settings-tokens": "/settings/tokens/"})
    _take_exports(camera)
    _take_imports(camera)
    page.context.clear_cookies()
    camera.sign_in("empty")
    camera.visit(
        {"messages-none": "/messages/", "home-empty": "/", "profile-empty-own": "/@empty/"}
    )
    page.context.clear_cookies()
    camera.sign_in("staff")
    camera.visit({"home-staff": "/"})
    page.locator("summary").click()
    camera.take("menu-staff")
    camera.visit(STAFF_PAGES)
    _take_staff_pages(camera)


def _take_posts(camera: Camera) -> None:
    page = camera.page
    page.goto(camera.site)
    limit = int(page.locator("form[data-composer] textarea").get_attribute("data-limit") or 0)
    camera.submit(body="x" * (limit + 10))
    camera.take("home-invalid")
    page.goto(camera.site)
    page.get_by_label("What would you like to say?").fill(
        "The ferry was late, and nobody minded. @Lucia_Ferrer"
    )
    page.locator("form[data-composer] button").click()
    page.get_by_role("status").get_by_text("Your post is out.").wait_for()
    camera.take("home-posted")
    page.locator(".post-time").first.click()
    camera.take("post")
    page.locator(".post .more-menu summary").click()
    camera.take("post-menu")
    page.get_by_role("link", name="Edit", exact=True).click()
    camera.take("post-edit")
    page.goto(page.url.replace("/edit/", "/delete/"))
    camera.take("post-delete")
    page.goto(f"{camera.site}/explore/")
    page.locator("a.username", has_text="Lucia_Ferrer").first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.locator(".hover-card").wait_for()
    camera.take("card")


def _take_exports(camera: Camera) -> None:
    page = camera.page
    page.goto(f"{camera.site}/exports/")
    camera.submit()
    page.locator("main progress:not([value='0'])").wait_for()
    camera.take("export-running")
    page.goto(f"{camera.site}/exports/new/account/")
    camera.submit()
    camera.visit(
        {"exports-running": "/exports/", "profile-running": "/@demo/", "home-running": "/"}
    )
    page.get_by_text("Your archive is in your mailbox").wait_for(timeout=60_000)
    camera.take("home-toast")
    page.goto(f"{camera.site}/exports/")
    page.locator("main progress").first.wait_for(state="detached", timeout=60_000)
    camera.take("exports")
    page.locator(".task-header a").first.click()
    camera.take("export-finished")


def _take_imports(camera: Camera) -> None:
    page = camera.page
    page.goto(f"{camera.site}/imports/")
    page.get_by_label("Archive").set_input_files(
        ROOT / "imports/tests/fixtures/mastodon/outbox.json"
    )
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("What is in the archive").wait_for(timeout=60_000)
    camera.take("import-preview")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Undo this import").wait_for(timeout=60_000)
    camera.take("import-finished")
    camera.visit({"imports": "/imports/"})


def _take_staff_pages(camera: Camera) -> None:
    page = camera.page
    page.goto(f"{camera.site}/admin/exports/exporttask/")
    page.locator(".field-owner_name a").first.click()
    camera.take("staff-export")
    page.locator("dd a").first.click()
    camera.take("staff-job")
    page.go_back()
    page.get_by_role("link", name="Send the e-mail again").click()
    camera.take("staff-confirm")
    page.goto(f"{camera.site}/admin/selftest/")
    page.get_by_role("button", name="Test the chain").click()
    page.get_by_text("All links hold").wait_for()
    camera.take("staff-selftest-passed")


@contextmanager
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield instance
        instance.close()


def save_screenshots(folder: Path, var: Path) -> int:
    """Return the number of files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    variables = {
        "DEBUG": "false",
        "STATIC_COLLECTED": "false",
        "EXPORT_MAX_RATE": "150",
        "EXPORT_COOLDOWN": "0",
    }
    with Stack(var, **variables) as stack:
        print("Preparing the database and starting the site ...", flush=True)
        stack.run("migrate", "--verbosity", "0")
        stack.run("seed_demo", "--force")
        stack.start()
        with browser() as instance:
            camera = Camera(instance.new_page(locale="en"), stack.site_url, folder)
            take_all(camera)
    return camera.count * len(VARIANTS)


def main() -> int:
    end_on_signals()
    if chromium() is None:
        print("Chromium is not installed. Run `make tools`.", file=sys.stderr)
        return 1
    folder = ROOT / "var" / "screenshots"
    try:
        with tempfile.TemporaryDirectory(prefix="microblog-screenshots-") as var:
            count = save_screenshots(folder, Path(var))
    except StackError as error:
        print(f"No screenshots: {error}", file=sys.stderr)
        return 1
    print(f"{count} screenshots saved to {os.path.relpath(folder)}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
