"""User accounts for the suite, and a load generator that exports and deletes them over HTTP."""

import random
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from itertools import pairwise

import requests
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password

from blog.accounts import sessions
from blog.management import demo_data as demo
from blog.models import Conversation, Follow, Post, User
from dev.site_client import CSRF_TOKEN, TASK_URL, SiteClient, UnexpectedResponse
from exports.models import ExportTask
from microblog.addresses import parse_site

from .databases import retry_query
from .hooks import POISON_PREFIX

EXPORT_KINDS = ("posts", "posts", "account")  # one in three exports the whole account
MAX_UNFINISHED_EXPORTS = 7
LOAD_THREADS = 2
LEAVER_PREFIX = "leaver"  # of the usernames whose owners delete their account
# Minimum and maximum seconds between two deletions.
DELETION_PAUSES = (2, 6)
PASSWORD = "Kestrel over the moor 71"


class Account:
    """User together with an HTTP client that is signed in as that user."""

    def __init__(self, user: User, site_url: str) -> None:
        self.user = user
        self.session_key = _create_session(user)
        self.use_site(site_url)

    def use_site(self, site_url: str) -> None:
        """Go on at another address of the site, with the same session."""
        self.client = SiteClient(site_url)
        site = parse_site(site_url)
        self.cookie_name = site.cookie_name("sessionid", is_secure=site.scheme == "https")
        self.client.session.cookies.set(self.cookie_name, self.session_key)

    @property
    def cookie(self) -> str:
        """The session cookie as a `Cookie` header."""
        return f"{self.cookie_name}={self.session_key}"

    def request_export(self, kind: str = "posts") -> str:
        """Request an export as the button on the profile does, and return the task's id.

        The id comes from the redirect, which is not followed. Raises requests.RequestException or
        UnexpectedResponse if the site did not accept the request.
        """
        page = self.client.get(f"/@{self.user.username}/")
        token = CSRF_TOKEN.search(page.text)
        if token is None:
            raise UnexpectedResponse("No form on the profile.")
        response = self.client.session.post(
            f"{self.client.site_url}/exports/",
            data={"csrfmiddlewaretoken": token[1], "kind": kind},
            timeout=30,
            allow_redirects=False,
        )
        task = TASK_URL.search(response.headers.get("Location", ""))
        if task is None:
            raise UnexpectedResponse(f"Export request: {response.status_code}")
        return task[1]

    def delete(self) -> None:
        """Delete the account with the form in its settings; raises as `request_export` does."""
        self.client.post("/settings/delete/", "/settings/delete/", password=PASSWORD)


def _create_session(user: User) -> str:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[sessions.SIGNED_IN_AT_KEY] = session[sessions.LAST_USED_AT_KEY] = int(time.time())
    session.create()
    return str(session.session_key)


def create_accounts(
    names: Iterable[str],
    site_url: str,
    rng: random.Random,
    post_range: tuple[int, int] = (150, 450),
) -> list[Account]:
    """Create users with confirmed addresses; each has a random number of posts in `post_range`.

    Each user follows the previous one and has written messages to them. Those with LEAVER_PREFIX
    have a password.
    """
    accounts = []
    for name in names:
        user = User.objects.create_user(name, f"{name.lower()}@microblog.example")
        if name.startswith(LEAVER_PREFIX):
            # Tests have a faster hasher, which the site under test does not accept.
            user.password = make_password(PASSWORD, hasher="argon2")
            user.save(update_fields=["password"])
        user.confirm_email()
        texts = demo.generate_posts(name, rng.randint(*post_range), seed=rng.randrange(1_000_000))
        Post.objects.bulk_create(
            Post(author=user, body=text.body, created_at=text.created_at) for text in texts
        )
        accounts.append(Account(user, site_url))
    _connect_users([account.user for account in accounts])
    return accounts


def _connect_users(users: list[User]) -> None:
    for previous, user in pairwise(users):
        Follow.objects.create(follower=user, followed=previous)
        conversation = Conversation.objects.get_or_create_between(user, previous)
        for number in range(5):
            conversation.add_message(user, previous, f"{number} from {user}")


class LoadGenerator:
    """Threads that keep requesting exports, and one that deletes accounts.

    `accepted` maps the ids of exports that the site returned to their owners, `deleted` the closed
    accounts to their addresses.
    """

    def __init__(self, accounts: list[Account], seed: int) -> None:
        self.accounts: list[Account] = []
        self.poison_accounts: list[Account] = []
        self.leavers: list[Account] = []
        for account in accounts:
            self._group_of(account).append(account)
        self.accepted: dict[str, int] = {}
        self.deleted: dict[int, str] = {}
        self._rng = random.Random(seed)  # noqa: S311 - repeatable
        self._requesting: set[int] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._run, daemon=True) for _ in range(LOAD_THREADS)),
            threading.Thread(target=self._run_deletions, daemon=True),
        ]

    def _group_of(self, account: Account) -> list[Account]:
        if account.user.username.startswith(POISON_PREFIX):
            return self.poison_accounts
        return self.leavers if account.user.username.startswith(LEAVER_PREFIX) else self.accounts

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def request_export(self, account: Account, kind: str = "posts") -> str | None:
        """Return the task's id, or None if the site did not accept the request."""
        try:
            task = account.request_export(kind)
        except (requests.RequestException, UnexpectedResponse):
            return None
        self.accepted[task] = account.user.pk
        return task

    def delete_account(self, account: Account) -> bool:
        """Return whether the site has closed the account, which it may have without an answer."""
        with suppress(requests.RequestException, UnexpectedResponse):
            account.delete()
        rows = User.objects.filter(pk=account.user.pk, is_active=True)
        if retry_query(rows.exists):
            return False
        self.deleted[account.user.pk] = account.user.email
        return True

    def _run_deletions(self) -> None:
        """Delete one account after another, every second one while its export is unfinished."""
        rng = random.Random(f"{self._rng.random()} deletions")  # noqa: S311 - repeatable
        for number, account in enumerate(self.leavers):
            if self._stopping.wait(rng.uniform(*DELETION_PAUSES)):
                return
            if number % 2:
                self.request_export(account, rng.choice(EXPORT_KINDS))
            while not self.delete_account(account):
                if self._stopping.wait(0.5):
                    return

    def _run(self) -> None:
        while not self._stopping.wait(0.05):
            account = self._next_account()
            if account is None:
                continue
            try:
                if self.request_export(account, self._rng.choice(EXPORT_KINDS)) is None:
                    time.sleep(0.2)
            finally:
                self._requesting.discard(account.user.pk)

    def _next_account(self) -> Account | None:
        """Return an account without an unfinished export, or None at the limit of such exports."""
        busy = retry_query(_owners_of_unfinished_exports)
        with self._lock:
            busy |= self._requesting
            if len(busy) >= MAX_UNFINISHED_EXPORTS:
                return None
            account = self._rng.choice([one for one in self.accounts if one.user.pk not in busy])
            self._requesting.add(account.user.pk)
        return account


def _owners_of_unfinished_exports() -> set[int]:
    return set(ExportTask.objects.unfinished().values_list("owner_id", flat=True))
