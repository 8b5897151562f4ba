"""Every page passes axe-core, in the light and the dark theme."""

import json
import time
from importlib import import_module

import django_rq
import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from django.apps import apps
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.utils import timezone
from model_bakery import baker
from rq import SimpleWorker

from blog.accounts.allauth_internals import TOTP, RecoveryCodes, format_hotp_value, hotp_value
from blog.models import Block, Follow, Mute, Post, Report, User
from conftest import PASSWORD
from exports.models import ExportTask
from tasks.jobs import enqueue_task
from tasks.worker import Worker

pytestmark = pytest.mark.browser

SECRET = "JBSWY3DPEHPK3PXP"
# Preloading is for audio and video only. The dark theme differs in colours only.
AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False}
OPTIONS_BY_SCHEME = {"light": AXE_OPTIONS, "dark": AXE_OPTIONS | {"runOnly": ["color-contrast"]}}

ENABLE_AND_CLICK = "button => { button.disabled = false; button.click(); }"


class AccessibilityCheck:
    """Visits pages and collects the violations that axe-core reports.

    Uses a page of its own, whose console may log a 404, without animations of colours.
    """

    def __init__(self, page, address):
        size = {"width": 1280, "height": 800}
        self.page = page.context.browser.new_page(
            viewport=size, locale="en", reduced_motion="reduce"
        )
        self.page.set_default_timeout(10_000)
        self.address = address
        self.violations = []

    def check(self, *paths):
        for path in paths:
            self.page.goto(self.address + path)
            self.check_current()

    def check_current(self):
        self.page.evaluate(AXE_SCRIPT)
        for scheme, options in OPTIONS_BY_SCHEME.items():
            self.page.emulate_media(color_scheme=scheme)
            found = AxeResults(self.page.evaluate("options => axe.run(options)", options))
            if found.violations_count:
                self.violations.append(f"{self.page.url} in {scheme}:\n{found.generate_report()}")

    def submit(self, **fields):
        """Fill in and submit the first form, without the browser's own validation.

        A script disables the button of a text that the server would reject: enable it.
        """
        form = self.page.locator("main form").first
        form.evaluate("form => form.noValidate = true")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        with self.page.expect_navigation():
            form.locator("button[type=submit]").last.evaluate(ENABLE_AND_CLICK)

    def sign_in(self):
        self.page.goto(f"{self.address}/accounts/login/")
        self.submit(login="alice", password=PASSWORD)


@pytest.fixture
def checker(page, live_server, alice, bob):
    baker.make(Post, author=bob, body="hello @alice, see https://microblog.example/", _quantity=3)
    baker.make(Follow, follower=bob, followed=alice)
    checker = AccessibilityCheck(page, live_server.url)
    yield checker
    assert not checker.violations, "\n".join(checker.violations)


def totp_code():
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))


def test_public_pages_are_accessible(checker, bob):
    baker.make(Post, author=bob, _quantity=20)
    checker.check(
        "/",
        "/explore/",
        "/@bob/",
        "/@bob/followers/",
        "/api/docs/",
        f"/posts/{Post.objects.first().pk}/",
        "/nowhere/",
        "/language/",
    )
    checker.page.route("**/broken/", lambda route: route.fulfill(body=render_to_string("500.html")))
    checker.check("/broken/")


def test_sign_in_pages_are_accessible(checker):
    checker.check("/accounts/login/")
    checker.submit(login="alice", password="wrong")
    checker.check_current()
    checker.check("/accounts/signup/")
    checker.submit(username="alice", email="nothing", password1="1", password2="2")
    checker.check_current()
    checker.check(
        "/accounts/confirm-email/", "/accounts/confirm-email/wrong/", "/accounts/inactive/"
    )
    checker.check("/accounts/password/reset/", "/accounts/password/reset/done/")
    checker.check("/accounts/password/reset/key/1-wrong/", "/accounts/password/reset/key/done/")


def test_post_and_profile_pages_are_accessible(checker, alice):
    checker.sign_in()
    checker.check("/")
    checker.page.locator("summary").click()
    checker.check_current()
    checker.check("/@alice/", "/@bob/", "/@alice/followers/", "/@alice/following/")
    post = baker.make(Post, author=alice, body="mine")
    checker.check(f"/posts/{post.pk}/", f"/posts/{post.pk}/delete/", f"/posts/{post.pk}/edit/")
    checker.submit(body="")
    checker.check_current()
    checker.check("/explore/")
    checker.page.locator("a.username", has_text="bob").first.hover()
    checker.page.locator(".hover-card").wait_for()
    checker.check_current()


def test_block_and_report_pages_are_accessible(checker, alice, bob, make_user):
    Mute.objects.create(muter=alice, muted=make_user("carol"))
    checker.sign_in()
    checker.check(
        "/@bob/block/",
        f"/posts/{Post.objects.filter(author=bob).first().pk}/report/",
        "/@bob/report/",
    )
    checker.submit()
    checker.check_current()
    report = baker.make(Report, reporter=alice, person=bob, comment="Every day")
    baker.make(Post, author=alice, hidden_at=timezone.now(), hidden_reason="Advertising")
    checker.check(f"/reports/{report.pk}/", "/@alice/")
    checker.page.goto(f"{checker.address}/@bob/")
    checker.page.locator(".more-menu summary").first.click()
    checker.check_current()
    Block.objects.block(alice, bob)
    checker.check("/@bob/", "/settings/blocks/")


def test_notification_and_search_pages_are_accessible(checker, alice, bob):
    checker.sign_in()
    checker.check("/notifications/all/", "/settings/notifications/")
    Follow.objects.follow(baker.make(User, username="carol", email=""), alice)
    checker.check("/notifications/all/")
    baker.make(Post, author=bob, body="the train", _quantity=21)
    checker.check(
        "/search/",
        "/search/?q=train",
        "/search/?q=train&from=20",
        "/search/?q=bob&in=people",
        "/search/?q=zzz",
    )


def test_moderation_pages_are_accessible(checker, alice, bob, make_user):
    import_module("blog.migrations.0012_moderators").make(apps, None)
    alice.groups.add(Group.objects.get(name="Moderators"))
    alice.is_staff = True
    alice.save()
    post = Post.objects.filter(author=bob).first()
    report = baker.make(
        Report, reporter=make_user("carol"), person=bob, post=post, excerpt=post.body, reason="SPAM"
    )
    queue = "/admin/blog/report/"
    checker.sign_in()
    checker.check(queue, f"{queue}{report.pk}/change/", f"{queue}{report.pk}/decide/hide/")
    checker.page.locator("#content form").evaluate("form => form.noValidate = true")
    checker.page.locator("#content .submit-row .default").click()
    checker.page.locator(".errorlist").wait_for()
    checker.check_current()
    checker.check(f"/admin/blog/post/{post.pk}/change/", f"/admin/blog/user/{bob.pk}/change/")


def test_message_pages_are_accessible(checker, alice, bob, send_message):
    checker.sign_in()
    checker.check("/messages/", "/messages/@bob/")
    for number in range(21):
        send_message(
            *((alice, bob) if number % 2 else (bob, alice)),
            "hello @alice, see https://microblog.example/",
        )
    checker.check("/messages/", "/messages/@bob/")
    checker.page.locator("form[data-message-form] textarea").fill("x" * 2001)
    checker.page.locator("form[data-message-form] button").evaluate(ENABLE_AND_CLICK)
    checker.page.locator("#message-error").wait_for()
    checker.check_current()
    Block.objects.block(bob, alice)
    checker.check("/messages/@bob/")


def test_export_pages_are_accessible(checker, alice):
    baker.make(Post, author=alice, body="mine")
    checker.sign_in()
    checker.check("/exports/", "/exports/new/account/", "/exports/new/posts/")
    checker.submit()
    checker.check_current()
    checker.check("/exports/", "/@alice/", "/")
    checker.page.goto(f"{checker.address}/exports/")
    checker.submit()
    checker.check_current()
    checker.check("/exports/")


def test_settings_pages_are_accessible(checker):
    checker.sign_in()
    checker.check(
        "/settings/",
        "/settings/profile/",
        "/settings/delete/",
        "/accounts/sessions/",
        "/accounts/logout/",
    )
    checker.check("/accounts/reauthenticate/")
    checker.submit(password=PASSWORD)
    checker.check(
        "/accounts/email/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/password/change/",
    )
    checker.submit(oldpassword="wrong", password1="1", password2="2")
    checker.check_current()
    checker.check("/settings/tokens/", "/settings/tokens/new/")
    checker.submit(name="")
    checker.check_current()
    checker.submit(name="Laptop")
    checker.check_current()
    checker.check("/settings/tokens/")


def test_mfa_pages_are_accessible(checker, alice):
    TOTP.activate(alice, SECRET)
    RecoveryCodes.activate(alice)
    checker.sign_in()
    checker.check_current()
    checker.submit(code=totp_code())
    checker.check("/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/")
    checker.check("/accounts/reauthenticate/")
    checker.submit(password=PASSWORD)
    checker.check("/accounts/2fa/", "/accounts/2fa/totp/deactivate/")
    checker.check("/accounts/2fa/recovery-codes/", "/accounts/2fa/recovery-codes/generate/")


def test_staff_pages_are_accessible(checker, alice, bob):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    task, _ = ExportTask.objects.request(bob)
    task.claim()
    task.fail("ERROR", "Traceback")
    running, _ = ExportTask.objects.request(alice)
    enqueue_task(running)
    checker.sign_in()
    exports = "/admin/exports/exporttask/"
    checker.check(
        "/admin/", exports, f"{exports}{task.pk}/change/", f"{exports}{running.pk}/change/"
    )
    checker.check(f"{exports}act/request/?task={task.pk}", "/admin/diagnosis/", "/admin/selftest/")
    checker.page.get_by_role("button", name="Test the chain").click()
    checker.page.get_by_text("Waiting for a worker").wait_for()
    checker.check_current()


def test_queue_dashboard_is_accessible(checker, alice):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    queue = django_rq.get_queue("default")
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    queue.enqueue(json.loads, "{}", job_id="done")
    worker = Worker([queue], connection=queue.connection)
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    worker.register_birth()
    task, _ = ExportTask.objects.request(alice)
    enqueue_task(task)
    checker.sign_in()
    lists = [
        f"queues/0/{name}"
        for name in ("", "failed/", "finished/", "started/", "scheduled/", "details/")
    ]
    confirmations = [
        f"queues/0/{name}" for name in ("empty/", "requeue-all/", "failed/clear/", "broken/delete/")
    ]
    pages = [
        "",
        *lists,
        *confirmations,
        "workers/0/",
        f"workers/0/{worker.key}/",
        f"queues/0/{task.job_id}/",
    ]
    checker.check(*(f"/admin/django_rq/dashboard/{page}" for page in [*pages, "queues/0/broken/"]))
    checker.page.goto(f"{checker.address}/admin/django_rq/dashboard/queues/0/")
    checker.page.locator("#action-toggle").check()
    checker.page.get_by_role("button", name="Delete").click()
    checker.check_current()
