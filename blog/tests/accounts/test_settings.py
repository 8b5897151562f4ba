import pytest
from allauth.usersessions.models import UserSession
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
def test_a_private_page_is_not_for_strangers_and_not_for_caches(client, alice, path):
    response = client.get(path)
    assert response.url == f"/accounts/login/?next={path}"
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    page = client.get(path)
    assert page.status_code == 200
    assert "style=" not in page.content.decode()
    assert "<script>" not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_is_for_everyone(client, db, path):
    page = client.get(f"/accounts/{path}/")
    assert page.status_code == 200
    assert "<h1>" in page.content.decode()
    assert "style=" not in page.content.decode()


@pytest.mark.parametrize("path", ["/settings/", "/settings/sessions/1/end/"])
def test_the_wrong_method_is_refused(client, alice, path):
    client.force_login(alice)
    answer = client.get(path) if "end" in path else client.post(path)
    assert answer.status_code == 405


def test_times_are_shown_by_ones_own_clock(rf, alice):
    alice.time_zone = "Asia/Shanghai"
    alice.save()
    request = rf.get("/")
    request.user = alice
    request.resolver_match = None
    seen = []

    def look(request):
        seen.append(timezone.get_current_timezone_name())
        return HttpResponse()

    UserMiddleware(look)(request)
    assert seen == ["Asia/Shanghai"]
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.fixture
def browsers(client, alice, bob):
    """Two of alice's, one of bob's."""
    other, strange = type(client)(), type(client)()
    for browser, login in ((client, "alice"), (other, "alice"), (strange, "bob")):
        browser.post(
            "/accounts/login/",
            {"login": login, "password": PASSWORD},
            headers={"user-agent": "Firefox/1"},
        )
    return client, other, strange


def test_sessions_are_listed(browsers):
    page = browsers[0].get("/accounts/sessions/").content.decode()
    assert page.count("Firefox") == 2
    assert page.count("This one") == 1


def test_one_session_is_ended(browsers):
    mine, other, _ = browsers
    session = UserSession.objects.get(session_key=other.session.session_key)
    assert mine.post(f"/settings/sessions/{session.pk}/end/").url == "/accounts/sessions/"
    assert other.get("/settings/").status_code == 302
    assert mine.get("/settings/").status_code == 200


def test_all_the_others_are_ended(browsers):
    mine, other, strange = browsers
    mine.post("/accounts/sessions/")
    assert other.get("/settings/").status_code == 302
    assert [browser.get("/settings/").status_code for browser in (mine, strange)] == [200, 200]


def test_a_strangers_session_does_not_exist(browsers):
    mine, _, strange = browsers
    session = UserSession.objects.get(session_key=strange.session.session_key)
    assert mine.post(f"/settings/sessions/{session.pk}/end/").status_code == 404
    assert strange.get("/settings/").status_code == 200


def test_ones_own_session_ends_by_signing_out(browsers):
    session = UserSession.objects.get(session_key=browsers[0].session.session_key)
    assert browsers[0].post(f"/settings/sessions/{session.pk}/end/").url == "/accounts/logout/"


@pytest.mark.parametrize("remembered", [True, False])
def test_the_session_outlives_the_browser_only_if_asked_to(client, alice, remembered):
    typed = {"login": "alice", "password": PASSWORD} | ({"remember": "on"} if remembered else {})
    response = client.post("/accounts/login/", typed)
    assert bool(response.cookies["sessionid"]["max-age"]) == remembered


def test_a_closed_account_is_told_so(client, alice):
    alice.is_active = False
    alice.save()
    response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert response.url == "/accounts/inactive/"
    assert "This account is closed" in client.get(response.url).content.decode()


@pytest.mark.parametrize(
    ("user_agent", "shown"),
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
def test_a_browser_is_named(user_agent, shown):
    assert device(user_agent) == shown
