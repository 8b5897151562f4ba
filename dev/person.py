"""Somebody who uses the site over HTTP, as a browser would: forms, their tokens, cookies, and polling."""

import re
from typing import Any, Self

import requests

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
TASK_URL = re.compile(r"/exports/([0-9a-f-]{36})/$")
TIMEOUT = 30  # seconds


class Refused(Exception):
    """The site answered, and not with what was asked for."""


class Person:
    def __init__(self, site_url: str) -> None:
        self.site_url = site_url
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy lies between us and our own machine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()

    def get(self, path: str, **query: str) -> requests.Response:
        return self._ask("GET", path, params=query)

    def post(self, path: str, page: str, **fields: str) -> requests.Response:
        """Send a form that stands on `page`, with that page's token."""
        token = TOKEN.search(self.get(page).text)
        if token is None:
            raise Refused(f"There is no form on {page}.")
        return self._ask("POST", path, data={"csrfmiddlewaretoken": token[1], **fields})

    def sign_in(self, name: str, password: str) -> None:
        page = "/accounts/login/"
        answer = self.post(page, page, login=name, password=password)
        if answer.url.startswith(self.site_url + page):
            raise Refused(f"{name} could not sign in.")

    def request_export(self, username: str, kind: str = "posts") -> str:
        """Ask for the archive of one's posts, or another, from one's own profile. Returns the task's id."""
        answer = self.post("/exports/", f"/@{username}/", kind=kind)
        task = TASK_URL.search(answer.url)
        if task is None:
            raise Refused(f"Asking for an export led to {answer.url}.")
        return task[1]

    def notifications(self, since: str = "") -> dict[str, Any]:
        """What is new: `since`, to be sent with the next call, and `notifications`."""
        answer: dict[str, Any] = self.get(
            "/notifications/", **({"since": since} if since else {})
        ).json()
        return answer

    def _ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = self.session.request(method, self.site_url + path, timeout=TIMEOUT, **arguments)
        if not answer.ok:
            raise Refused(
                f"{method} {path} was answered with {answer.status_code} {answer.reason}."
            )
        return answer
