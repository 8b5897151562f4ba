"""What every response tells browsers, whoever asks and whatever for."""

import pytest
from django.test import Client

from blog import rate_limits
from blog.models import ApiToken
from blog.rate_limits import Rate
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

EXPECTED = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
VISITORS = [
    "/",
    "/explore/",
    "/accounts/login/",
    "/accounts/signup/",
    "/explore/feed/",
    "/@alice/",
    "/avatars/alice.svg",
]
SIGNED_IN = [
    "/",
    "/settings/",
    "/exports/",
    "/messages/",
    "/notifications/",
    "/notifications/all/",
    "/search/?q=x",
]
STAFFS = ["/admin/", "/admin/blog/user/", "/admin/diagnosis/", "/admin/django_rq/dashboard/"]
STATIC = ["/static/css/base.css", "/static/js/time-zone.js", "/static/img/mark.svg"]


@pytest.fixture(autouse=True)
def as_in_production(settings):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = (
        settings.LANGUAGE_COOKIE_SECURE
    ) = True
    settings.RATE_LIMITS = True


@pytest.fixture
def browser(alice):
    return Client(raise_request_exception=False)


def check(response, status=200):
    if response.streaming:
        b"".join(response.streaming_content)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in EXPECTED} == EXPECTED
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in response.headers
    rules = dict(
        rule.strip().partition(" ")[::2]
        for rule in response.headers["Content-Security-Policy"].split(";")
    )
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert "unsafe" not in str(rules)
    assert "http" not in str(rules)


@pytest.mark.parametrize("path", [*VISITORS, *STATIC, "/api/docs/", "/api/v1/openapi.json"])
def test_what_visitors_get(browser, path):
    check(browser.get(path, secure=True))


@pytest.mark.parametrize("path", SIGNED_IN)
def test_what_people_get(browser, alice, path):
    browser.force_login(alice)
    check(browser.get(path, secure=True))


@pytest.mark.parametrize("path", STAFFS)
def test_what_staff_get(browser, staff, path):
    browser.force_login(staff)
    check(browser.get(path, secure=True))


def test_what_programs_get(browser, alice):
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    check(
        browser.get("/api/v1/profile/", secure=True, headers={"authorization": f"Bearer {secret}"})
    )
    check(browser.get("/api/v1/profile/", secure=True), 401)


def test_a_redirect(browser):
    check(browser.get("/settings/", secure=True), 302)


def test_what_is_refused(browser, alice, monkeypatch):
    check(browser.get("/nowhere/", secure=True), 404)
    check(browser.get("/language/", secure=True), 405)
    check(browser.get("/", secure=True, headers={"host": "elsewhere.example"}), 400)
    check(Client(enforce_csrf_checks=True).post("/language/", {"language": "es"}, secure=True), 403)
    browser.force_login(alice)
    check(browser.get("/admin/login/", secure=True), 403)
    monkeypatch.setattr(rate_limits, "RATES", dict.fromkeys(rate_limits.RATES, Rate(0, 0, 3600)))
    check(browser.post("/posts/", {"body": "Hello"}, secure=True), 429)


def test_what_breaks(browser, settings):
    settings.ROOT_URLCONF = "microblog.tests.faulty_urls"
    check(browser.get("/fail/", secure=True), 500)


def test_an_archive(browser, alice, downloadable_task):
    browser.force_login(alice)
    response = browser.get(f"/exports/{downloadable_task.pk}/download/", secure=True)
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Disposition"] == 'attachment; filename="posts.json"'
    check(response)


def test_cookies_are_for_this_site_and_not_for_scripts(browser, alice):
    browser.post("/language/", {"language": "es"}, secure=True)
    browser.post("/theme/", {"theme": "dark"}, secure=True)
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, secure=True)
    assert {"csrftoken", "django_language", "theme", "sessionid"} <= set(browser.cookies)
    for name, cookie in browser.cookies.items():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax"), (
            name
        )


def test_no_browser_keeps_what_is_private(browser, alice):
    browser.force_login(alice)
    for path in [
        "/settings/",
        "/exports/",
        "/messages/",
        "/notifications/",
        "/notifications/all/",
        "/accounts/email/",
    ]:
        assert "no-store" in browser.get(path, secure=True)["Cache-Control"], path
    for path in ["/", "/explore/", "/@alice/"]:
        assert "private" in browser.get(path, secure=True)["Cache-Control"], path
