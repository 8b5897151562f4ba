"""axe-core finds nothing to complain of: on any page, in light and in dark."""

import json
import time
from importlib import import_module

import django_rq
import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from django.apps import apps
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.utils import timezone
from model_bakery import baker
from rq import SimpleWorker

from blog import deeds
from blog.models import Block, Follow, Mute, Post, Report, User
from conftest import PASSWORD
from exports.jobs import enqueue_export
from exports.models import ExportTask
from exports.worker import Worker

pytestmark = pytest.mark.browser

SECRET = "JBSWY3DPEHPK3PXP"
# Only sound and film would need to be loaded before; in dark only the colours differ.
COMMON = {"resultTypes": ["violations"], "preload": False}
PASSES = {"light": COMMON, "dark": COMMON | {"runOnly": ["color-contrast"]}}


class Visit:
    """Pages of one site, and what axe-core says of each. Their console may tell of a 404, and no colour fades."""

    def __init__(self, page, address):
        size = {"width": 1280, "height": 800}
        self.page = page.context.browser.new_page(
            viewport=size, locale="en", reduced_motion="reduce"
        )
        self.page.set_default_timeout(10_000)
        self.address = address
        self.complaints = []

    def look(self, *paths):
        for path in paths:
            self.page.goto(self.address + path)
            self.look_here()

    def look_here(self):
        self.page.evaluate(AXE_SCRIPT)
        for scheme, options in PASSES.items():
            self.page.emulate_media(color_scheme=scheme)
            found = AxeResults(self.page.evaluate("options => axe.run(options)", options))
            if found.violations_count:
                self.complaints.append(f"{self.page.url} in {scheme}:\n{found.generate_report()}")

    def send(self, **fields):
        """Fill in the first form of the page and send it, past what the browser would refuse by itself."""
        form = self.page.locator("main form").first
        form.evaluate("form => form.noValidate = true")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        with self.page.expect_navigation():
            form.locator("button[type=submit]").last.click()

    def sign_in(self):
        self.page.goto(f"{self.address}/accounts/login/")
        self.send(login="alice", password=PASSWORD)


@pytest.fixture
def visit(page, live_server, alice, bob):
    baker.make(Post, author=bob, body="hello @alice, see https://microblog.example/", _quantity=3)
    baker.make(Follow, follower=bob, followed=alice)
    visit = Visit(page, live_server.url)
    yield visit
    assert not visit.complaints, "\n".join(visit.complaints)


def code():
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))


def test_what_a_visitor_sees(visit, bob):
    baker.make(Post, author=bob, _quantity=20)
    visit.look(
        "/",
        "/explore/",
        "/@bob/",
        "/@bob/followers/",
        "/api/docs/",
        f"/posts/{Post.objects.first().pk}/",
        "/nowhere/",
        "/language/",
    )
    visit.page.route("**/broken/", lambda route: route.fulfill(body=render_to_string("500.html")))
    visit.look("/broken/")


def test_the_entrance(visit):
    visit.look("/accounts/login/")
    visit.send(login="alice", password="wrong")
    visit.look_here()
    visit.look("/accounts/signup/")
    visit.send(username="alice", email="nothing", password1="1", password2="2")
    visit.look_here()
    visit.look("/accounts/confirm-email/", "/accounts/confirm-email/wrong/", "/accounts/inactive/")
    visit.look("/accounts/password/reset/", "/accounts/password/reset/done/")
    visit.look("/accounts/password/reset/key/1-wrong/", "/accounts/password/reset/key/done/")


def test_what_a_person_reads_and_writes(visit, alice):
    visit.sign_in()
    visit.look("/")
    visit.page.locator("summary").click()
    visit.look_here()
    visit.look("/@alice/", "/@bob/", "/@alice/followers/", "/@alice/following/")
    post = baker.make(Post, author=alice, body="mine")
    visit.look(f"/posts/{post.pk}/", f"/posts/{post.pk}/delete/", f"/posts/{post.pk}/edit/")
    visit.send(body="")
    visit.look_here()
    visit.look("/explore/")
    visit.page.locator("a.name", has_text="bob").first.hover()
    visit.page.locator(".card-hover").wait_for()
    visit.look_here()


def test_keeping_away_and_reporting(visit, alice, bob, make_user):
    Mute.objects.create(muter=alice, muted=make_user("carol"))
    visit.sign_in()
    visit.look(
        "/@bob/block/",
        f"/posts/{Post.objects.filter(author=bob).first().pk}/report/",
        "/@bob/report/",
    )
    visit.send()
    visit.look_here()
    report = baker.make(Report, reporter=alice, person=bob, comment="Every day")
    baker.make(Post, author=alice, hidden_at=timezone.now(), hidden_reason="Advertising")
    visit.look(f"/reports/{report.pk}/", "/@alice/")
    visit.page.goto(f"{visit.address}/@bob/")
    visit.page.locator(".more summary").first.click()
    visit.look_here()
    Block.objects.put(alice, bob)
    visit.look("/@bob/", "/settings/blocks/")


def test_news_and_search(visit, alice, bob):
    visit.sign_in()
    visit.look("/notifications/all/", "/settings/notifications/")
    deeds.follow(baker.make(User, username="carol", email=""), alice)
    visit.look("/notifications/all/")
    baker.make(Post, author=bob, body="the train", _quantity=21)
    visit.look(
        "/search/",
        "/search/?q=train",
        "/search/?q=train&from=20",
        "/search/?q=bob&in=people",
        "/search/?q=zzz",
    )


def test_what_moderators_see(visit, alice, bob, make_user):
    import_module("blog.migrations.0012_moderators").make(apps, None)
    alice.groups.add(Group.objects.get(name="Moderators"))
    alice.is_staff = True
    alice.save()
    post = Post.objects.filter(author=bob).first()
    report = baker.make(
        Report, reporter=make_user("carol"), person=bob, post=post, excerpt=post.body, reason="SPAM"
    )
    queue = "/admin/blog/report/"
    visit.sign_in()
    visit.look(queue, f"{queue}{report.pk}/change/", f"{queue}{report.pk}/decide/hide/")
    visit.page.locator("#content form").evaluate("form => form.noValidate = true")
    visit.page.locator("#content .submit-row .default").click()
    visit.page.locator(".errorlist").wait_for()
    visit.look_here()
    visit.look(f"/admin/blog/post/{post.pk}/change/", f"/admin/blog/user/{bob.pk}/change/")


def test_messages(visit, alice, bob, send_message):
    visit.sign_in()
    visit.look("/messages/", "/messages/@bob/")
    for number in range(21):
        send_message(
            *((alice, bob) if number % 2 else (bob, alice)),
            "hello @alice, see https://microblog.example/",
        )
    visit.look("/messages/", "/messages/@bob/")
    visit.page.locator("form[data-message] textarea").fill("x" * 2001)
    visit.page.locator("form[data-message] button").click()
    visit.page.locator("#message-error").wait_for()
    visit.look_here()
    Block.objects.put(bob, alice)
    visit.look("/messages/@bob/")


def test_exports(visit, alice):
    baker.make(Post, author=alice, body="mine")
    visit.sign_in()
    visit.look("/exports/", "/exports/new/account/", "/exports/new/posts/")
    visit.send()
    visit.look_here()
    visit.look("/exports/", "/@alice/", "/")
    visit.page.goto(f"{visit.address}/exports/")
    visit.send()
    visit.look_here()
    visit.look("/exports/")


def test_settings(visit):
    visit.sign_in()
    visit.look(
        "/settings/",
        "/settings/profile/",
        "/settings/delete/",
        "/accounts/sessions/",
        "/accounts/logout/",
    )
    visit.look("/accounts/reauthenticate/")
    visit.send(password=PASSWORD)
    visit.look(
        "/accounts/email/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/password/change/",
    )
    visit.send(oldpassword="wrong", password1="1", password2="2")
    visit.look_here()
    visit.look("/settings/tokens/", "/settings/tokens/new/")
    visit.send(name="")
    visit.look_here()
    visit.send(name="Laptop")
    visit.look_here()
    visit.look("/settings/tokens/")


def test_the_second_factor(visit, alice):
    TOTP.activate(alice, SECRET)
    RecoveryCodes.activate(alice)
    visit.sign_in()
    visit.look_here()
    visit.send(code=code())
    visit.look("/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/")
    visit.look("/accounts/reauthenticate/")
    visit.send(password=PASSWORD)
    visit.look("/accounts/2fa/", "/accounts/2fa/totp/deactivate/")
    visit.look("/accounts/2fa/recovery-codes/", "/accounts/2fa/recovery-codes/generate/")


def test_the_desk(visit, alice, bob):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    task, _ = ExportTask.objects.request(bob.pk)
    task.claim()
    task.fail("ERROR", "Traceback")
    under_way, _ = ExportTask.objects.request(alice.pk)
    enqueue_export(under_way)
    visit.sign_in()
    exports = "/admin/exports/exporttask/"
    visit.look(
        "/admin/", exports, f"{exports}{task.pk}/change/", f"{exports}{under_way.pk}/change/"
    )
    visit.look(f"{exports}act/request/?task={task.pk}", "/admin/stuck/", "/admin/selftest/")
    visit.page.get_by_role("button", name="Test the chain").click()
    visit.page.get_by_text("Waiting for a worker").wait_for()
    visit.look_here()


def test_the_queue_at_the_desk(visit, alice):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    queue = django_rq.get_queue("default")
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    queue.enqueue(json.loads, "{}", job_id="done")
    worker = Worker([queue], connection=queue.connection)
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    worker.register_birth()
    task, _ = ExportTask.objects.request(alice.pk)
    enqueue_export(task)
    visit.sign_in()
    lists = [
        f"queues/0/{name}"
        for name in ("", "failed/", "finished/", "started/", "scheduled/", "details/")
    ]
    asking = [
        f"queues/0/{name}" for name in ("empty/", "requeue-all/", "failed/clear/", "broken/delete/")
    ]
    pages = [
        "",
        *lists,
        *asking,
        "workers/0/",
        f"workers/0/{worker.key}/",
        f"queues/0/{task.job_id}/",
    ]
    visit.look(*(f"/admin/django_rq/dashboard/{page}" for page in [*pages, "queues/0/broken/"]))
    visit.page.goto(f"{visit.address}/admin/django_rq/dashboard/queues/0/")
    visit.page.locator("#action-toggle").check()
    visit.page.get_by_role("button", name="Delete").click()
    visit.look_here()
