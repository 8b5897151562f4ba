"""Security headers of every kind of response."""

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
VISITOR_PAGES = [
    "/",
    "/explore/",
    "/accounts/login/",
    "/accounts/signup/",
    "/explore/feed/",
    "/@alice/",
    "/avatars/alice.svg",
]
SIGNED_IN_PAGES = [
    "/",
    "/settings/",
    "/exports/",
    "/messages/",
    "/notifications/",
    "/notifications/all/",
    "/search/?q=x",
]
STAFF_PAGES = ["/admin/", "/admin/blog/user/", "/admin/diagnosis/", "/admin/django_rq/dashboard/"]
STATIC_FILES = ["/static/css/base.css", "/static/js/time-zone.js", "/static/img/mark.svg"]


@pytest.fixture(autouse=True)
def production_settings(settings):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = (
        settings.LANGUAGE_COOKIE_SECURE
    ) = True
    settings.RATE_LIMITS = True


@pytest.fixture
def site_client(alice):
    return Client(raise_request_exception=False)


def assert_secure(response, status=200):
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


@pytest.mark.parametrize(
    "path", [*VISITOR_PAGES, *STATIC_FILES, "/api/docs/", "/api/v1/openapi.json"]
)
def test_headers_for_visitors(site_client, path):
    assert_secure(site_client.get(path, secure=True))


@pytest.mark.parametrize("path", SIGNED_IN_PAGES)
def test_headers_for_signed_in_users(site_client, alice, path):
    site_client.force_login(alice)
    assert_secure(site_client.get(path, secure=True))


@pytest.mark.parametrize("path", STAFF_PAGES)
def test_headers_for_staff(site_client, staff, path):
    site_client.force_login(staff)
    assert_secure(site_client.get(path, secure=True))


def test_headers_of_api_responses(site_client, alice):
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    assert_secure(
        site_client.get(
            "/api/v1/profile/", secure=True, headers={"authorization": f"Bearer {secret}"}
        )
    )
    assert_secure(site_client.get("/api/v1/profile/", secure=True), 401)


def test_headers_of_redirect(site_client):
    assert_secure(site_client.get("/settings/", secure=True), 302)


def test_headers_of_client_errors(site_client, alice, monkeypatch):
    assert_secure(site_client.get("/nowhere/", secure=True), 404)
    assert_secure(site_client.get("/language/", secure=True), 405)
    assert_secure(site_client.get("/", secure=True, headers={"host": "elsewhere.example"}), 400)
    assert_secure(
        Client(enforce_csrf_checks=True).post("/language/", {"language": "es"}, secure=True), 403
    )
    site_client.force_login(alice)
    assert_secure(site_client.get("/admin/login/", secure=True), 403)
    monkeypatch.setattr(rate_limits, "RATES", dict.fromkeys(rate_limits.RATES, Rate(0, 0, 3600)))
    assert_secure(site_client.post("/posts/", {"body": "Hello"}, secure=True), 429)


def test_headers_of_server_error(site_client, settings):
    settings.ROOT_URLCONF = "microblog.tests.faulty_urls"
    assert_secure(site_client.get("/fail/", secure=True), 500)


def test_headers_of_archive_download(site_client, alice, downloadable_task):
    site_client.force_login(alice)
    response = site_client.get(f"/exports/{downloadable_task.pk}/download/", secure=True)
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert_secure(response)


def test_cookies_are_secure_httponly_and_lax(site_client, alice):
    site_client.post("/language/", {"language": "es"}, secure=True)
    site_client.post("/theme/", {"theme": "dark"}, secure=True)
    site_client.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, secure=True)
    assert {"csrftoken", "django_language", "theme", "sessionid"} <= set(site_client.cookies)
    for name, cookie in site_client.cookies.items():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax"), (
            name
        )


def test_private_pages_are_not_cached(site_client, alice):
    site_client.force_login(alice)
    for path in [
        "/settings/",
        "/exports/",
        "/messages/",
        "/notifications/",
        "/notifications/all/",
        "/accounts/email/",
    ]:
        assert "no-store" in site_client.get(path, secure=True)["Cache-Control"], path
    for path in ["/", "/explore/", "/@alice/"]:
        assert "private" in site_client.get(path, secure=True)["Cache-Control"], path
