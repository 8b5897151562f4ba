"""Many people who keep asking for their posts, over HTTP."""

import random
import threading
import time
from collections.abc import Iterable
from importlib import import_module
from itertools import pairwise

import requests
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from blog.accounts import sessions
from blog.management import demo_data as demo
from blog.models import Conversation, Follow, Post, User
from dev.person import TASK_URL, TOKEN, Person, Refused
from exports.models import ExportTask

from .databases import patient
from .hooks import POISON

KINDS = ("posts", "posts", "account")  # a third asks for the whole account
AT_A_TIME = 7  # unfinished exports that the crowd keeps going


class Account:
    """Somebody who is signed in already."""

    def __init__(self, user: User, site_url: str) -> None:
        self.user = user
        self.person = Person(site_url)
        self.person.session.cookies.set(settings.SESSION_COOKIE_NAME, _sign_in(user))

    def request_export(self, kind: str = "posts") -> str:
        """Ask for an export, as the button on the profile does; the id in the redirect that accepts it.

        Raises requests.RequestException or Refused where it was not accepted.
        """
        page = self.person.get(f"/@{self.user.username}/")
        token = TOKEN.search(page.text)
        if token is None:
            raise Refused("The profile has no form.")
        answer = self.person.session.post(
            f"{self.person.site_url}/exports/",
            data={"csrfmiddlewaretoken": token[1], "kind": kind},
            timeout=30,
            allow_redirects=False,
        )
        accepted = TASK_URL.search(answer.headers.get("Location", ""))
        if accepted is None:
            raise Refused(f"Asking for an export was answered with {answer.status_code}.")
        return accepted[1]


def _sign_in(user: User) -> str:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[sessions.SIGNED_IN_AT_KEY] = session[sessions.LAST_USED_AT_KEY] = int(time.time())
    session.create()
    return str(session.session_key)


def make(
    names: Iterable[str], site_url: str, rng: random.Random, posts: tuple[int, int] = (150, 450)
) -> list[Account]:
    """People with confirmed addresses, and as many posts each as lies in that range."""
    accounts = []
    for name in names:
        user = User.objects.create_user(name, f"{name.lower()}@microblog.example")
        user.confirm_email()
        texts = demo.generate_posts(name, rng.randint(*posts), seed=rng.randrange(1_000_000))
        Post.objects.bulk_create(
            Post(author=user, body=text.body, created_at=text.created_at) for text in texts
        )
        accounts.append(Account(user, site_url))
    _acquaint([account.user for account in accounts])
    return accounts


def _acquaint(people: list[User]) -> None:
    """Let each follow the one before, and write to them."""
    for other, one in pairwise(people):
        Follow.objects.create(follower=one, followed=other)
        conversation = Conversation.objects.get_or_create_between(one, other)
        for number in range(5):
            conversation.add_message(one, other, f"{number} from {one}")


class Crowd:
    """Asks for exports all the time, from threads; remembers what the site accepted."""

    def __init__(self, accounts: list[Account], seed: int) -> None:
        self.ordinary = [
            account for account in accounts if not account.user.username.startswith(POISON)
        ]
        self.poisoned = [
            account for account in accounts if account.user.username.startswith(POISON)
        ]
        self.accepted: set[str] = set()
        self.refused = 0
        self.unfinished = 0
        self._rng = random.Random(seed)  # noqa: S311
        self._asking: set[int] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(2)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def ask(self, account: Account, kind: str = "posts") -> str | None:
        """The task's id; None where the site did not accept the request."""
        try:
            task = account.request_export(kind)
        except (requests.RequestException, Refused):
            self.refused += 1
            return None
        self.accepted.add(task)
        return task

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            account = self._next()
            if account is None:
                continue
            try:
                if self.ask(account, self._rng.choice(KINDS)) is None:
                    time.sleep(0.2)
            finally:
                self._asking.discard(account.user.pk)

    def _next(self) -> Account | None:
        """Somebody whose last export is over."""
        busy = set(
            patient(
                lambda: list(ExportTask.objects.unfinished().values_list("owner_id", flat=True))
            )
        )  # type: ignore[call-overload]
        with self._lock:
            busy |= self._asking
            if len(busy) >= AT_A_TIME:
                return None
            account = self._rng.choice([one for one in self.ordinary if one.user.pk not in busy])
            self._asking.add(account.user.pk)
        return account
