"""Account export in a browser: request, progress and the archive in the mailbox."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.hashers import make_password

from blog.formatting import isoformat_utc
from blog.models import Conversation, Follow, Post, User
from conftest import PASSWORD
from dev.stack import Stack
from exports.models import ExportTask

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def alice(
    transactional_db: None, make_user: Callable[..., User], create_posts: Callable[..., list[Post]]
) -> User:
    """Return alice with posts and messages.

    Her password uses a hasher of the site, because its processes do not know the tests' fast one.
    """
    alice, bob = make_user("alice"), make_user("bob")
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    create_posts(alice, 900)
    Follow.objects.create(follower=alice, followed=bob)
    Follow.objects.create(follower=bob, followed=alice)
    conversation = Conversation.objects.get_or_create_between(alice, bob)
    for number in range(20):
        sender, recipient = (alice, bob) if number % 2 else (bob, alice)
        conversation.add_message(sender, recipient, f"Message {number}")
    return alice


@pytest.fixture
def site(alice: User, stack: Stack) -> str:
    """Return the URL of a site that exports alice's account in about four seconds.

    Leases are long, so that a slow machine does not lose one.
    """
    stack.env |= {
        "EXPORT_MAX_RATE": "250",
        "EXPORT_LEASE_SECONDS": "20",
        "EXPORT_TICK_SECONDS": "5",
    }
    stack.start()
    return stack.site_url


def sign_in(page: "Page", site: str) -> None:
    page.goto(f"{site}/accounts/login/?next=/exports/")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Your exports").wait_for()


def open_archive(stack: Stack) -> tuple[bytes, dict[str, Any]]:
    """Return the zip file in the mailbox and its parsed JSON files by name."""
    part = stack.mailbox.wait("alice@microblog.example").attachment("account.zip")
    assert part is not None
    content = part.get_content()
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = [name for name in packed.namelist() if name.endswith(".json")]
        return content, {name: json.loads(packed.read(name)) for name in names}


def test_account_export_from_request_to_mailbox(site, stack, page, alice):
    sign_in(page, site)
    page.get_by_role("link", name="Export your account").click()
    page.get_by_text("Your password, the secrets of your second factor").wait_for()
    page.get_by_role("button", name="Export your account").click()
    page.locator("main").get_by_text(re.compile(r"^[\d,]+ of [\d,]+ entries$")).wait_for()
    page.get_by_text("Your archive is in your mailbox").first.wait_for()

    content, files = open_archive(stack)

    task = ExportTask.objects.get()
    assert hashlib.sha256(content).hexdigest() == task.archive_sha256
    assert files["manifest.json"]["count"] == task.rows_done
    assert [(post["body"], post["timestamp"]) for post in files["posts.json"]["posts"]] == [
        (post.body, isoformat_utc(post.created_at)) for post in alice.posts.oldest_first()
    ]
    [conversation] = files["messages.json"]["messages"]
    assert [message["body"] for message in conversation["messages"]] == [
        f"Message {number}" for number in range(20)
    ]
    assert [row["name"] for row in files["following.json"]["following"]] == ["bob"]
    assert files["profile.json"]["profile"]["username"] == "alice"
    assert len(files["sessions.json"]["sessions"]) == alice.usersession_set.count() == 1


def test_two_exports_have_two_progress_bars(site, stack, page):
    sign_in(page, site)
    stack.stop("worker")  # so that neither export finishes before both are seen
    page.get_by_role("button", name="Export your posts").click()
    page.goto(f"{site}/exports/new/account/")
    page.get_by_role("button", name="Export your account").click()
    page.locator("main progress").wait_for()
    page.goto(site)

    bars = page.locator("[data-progress-list] [data-progress]")

    assert bars.count() == 2
    titles = [bars.nth(place).locator("[data-progress-title]").text_content() for place in range(2)]
    assert titles == ["Your posts", "Your account"]
    stack.start("worker")
    page.locator("[data-toasts]").get_by_text("Your posts.").wait_for()
    page.locator("[data-toasts]").get_by_text("Your account.").wait_for(timeout=60_000)
    assert bars.count() == 0
