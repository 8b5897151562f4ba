"""Settings pages and public account pages."""

import pytest
from django.http import HttpResponse
from django.utils import timezone

from blog.middleware import UserMiddleware
from blog.templatetags.accounts import device
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PRIVATE = [
    "/settings/",
    "/settings/profile/",
    "/settings/delete/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/sessions/",
]
PUBLIC = ["login", "signup", "password/reset", "password/reset/done", "confirm-email", "inactive"]


@pytest.mark.parametrize("path", PRIVATE)
def test_private_page_requires_login_and_is_uncached(client, alice, path):
    response = client.get(path)
    assert response.url == f"/accounts/login/?next={path}"
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    page = client.get(path)
    assert page.status_code == 200
    assert "style=" not in page.content.decode()
    assert "<script>" not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("path", PUBLIC)
def test_public_page_is_shown_to_visitors(client, db, path):
    page = client.get(f"/accounts/{path}/")
    assert page.status_code == 200
    assert "<h1>" in page.content.decode()
    assert "style=" not in page.content.decode()


@pytest.mark.parametrize("path", ["/settings/", "/settings/sessions/1/end/"])
def test_settings_reject_wrong_method(client, alice, path):
    client.force_login(alice)
    answer = client.get(path) if "end" in path else client.post(path)
    assert answer.status_code == 405


def test_times_are_shown_in_users_time_zone(rf, alice):
    alice.time_zone = "Asia/Shanghai"
    alice.save()
    request = rf.get("/")
    request.user = alice
    request.resolver_match = None
    zones = []

    def view(request):
        zones.append(timezone.get_current_timezone_name())
        return HttpResponse()

    UserMiddleware(view)(request)
    assert zones == ["Asia/Shanghai"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_login_to_closed_account_explains(client, alice):
    alice.is_active = False
    alice.save()
    response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert response.url == "/accounts/inactive/"
    assert "This account is closed" in client.get(response.url).content.decode()


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Safari/604.1",
            "Safari on iOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_device_names_browser_and_system(user_agent, expected):
    assert device(user_agent) == expected
