"""HTTP client that uses the site as a browser does: forms, CSRF tokens, cookies and polling."""

import re
from typing import Any, Self

import requests

CSRF_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
TASK_URL = re.compile(r"/exports/([0-9a-f-]{36})/$")
TIMEOUT_SECONDS = 30


class UnexpectedResponse(Exception):
    """The site answered with something other than the requested result."""


class SiteClient:
    def __init__(self, site_url: str) -> None:
        self.site_url = site_url
        self.session = requests.Session()
        self.session.trust_env = False  # the site runs on this machine: use no proxy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()

    def get(self, path: str, **query: str) -> requests.Response:
        return self._request("GET", path, params=query)

    def post(
        self, path: str, page: str, files: dict[str, Any] | None = None, **fields: str | list[str]
    ) -> requests.Response:
        """Submit a form shown on `page`, with that page's CSRF token."""
        token = CSRF_TOKEN.search(self.get(page).text)
        if token is None:
            raise UnexpectedResponse(f"No form on {page}.")
        data = {"csrfmiddlewaretoken": token[1], **fields}
        return self._request("POST", path, data=data, files=files)

    def sign_in(self, name: str, password: str) -> None:
        page = "/accounts/login/"
        response = self.post(page, page, login=name, password=password)
        if response.url.startswith(self.site_url + page):
            raise UnexpectedResponse(f"Could not sign in as {name}.")

    def request_export(self, username: str, kind: str = "posts") -> str:
        """Request an export from the signed-in user's own profile and return the task's id."""
        response = self.post("/exports/", f"/@{username}/", kind=kind)
        task = TASK_URL.search(response.url)
        if task is None:
            raise UnexpectedResponse(f"The export request led to {response.url}.")
        return task[1]

    def notifications(self, since: str = "") -> dict[str, Any]:
        """Return the changes after `since`, and in the key `since` the value for the next call."""
        query = {"since": since} if since else {}
        result: dict[str, Any] = self.get("/notifications/", **query).json()
        return result

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        response = self.session.request(
            method, self.site_url + path, timeout=TIMEOUT_SECONDS, **options
        )
        if not response.ok:
            raise UnexpectedResponse(f"{method} {path}: {response.status_code} {response.reason}")
        return response
