"""Open redirects: `next` URLs of forms and links never lead to another site."""

import re

import pytest

from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

EVIL = "elsewhere.example"
TRICKS = [
    f"https://{EVIL}/",
    f"http://{EVIL}",
    f"HTTPS://{EVIL}",
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}",
    f"/\\{EVIL}",
    f"\\/{EVIL}",
    f"\\\\{EVIL}",
    f"\\{EVIL}",
    f"/\\/{EVIL}",
    f"//\\{EVIL}",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"https:\\\\{EVIL}",
    f"https:///{EVIL}",
    f"https:////{EVIL}",
    f"http:{EVIL}",
    f" //{EVIL}",
    f"\t//{EVIL}",
    f"\n//{EVIL}",
    f"\r\n//{EVIL}",
    f"/\t/{EVIL}",
    f"/\n/{EVIL}",
    f"/\r/{EVIL}",
    f"\x00//{EVIL}",
    f"\x01//{EVIL}",
    f"\x1f//{EVIL}",
    f"\u00a0//{EVIL}",
    f"\u3000//{EVIL}",
    f"ht\ntps://{EVIL}",
    f"h\ttps://{EVIL}",
    f"https://testserver@{EVIL}/",
    f"https://testserver:x@{EVIL}/",
    f"//testserver@{EVIL}",
    f"https://testserver.{EVIL}/",
    f"https://{EVIL}#testserver",
    f"https://{EVIL}?testserver",
    f"https://{EVIL}\\@testserver",
    f"https://{EVIL}%00.testserver",
    f"//{EVIL}%2f..",
    f"//{EVIL}/%2f..",
    f"/%09/{EVIL}",
    f"/%5c{EVIL}",
    f"/%2f%2f{EVIL}",
    f"%2f%2f{EVIL}",
    f".{EVIL}",
    f"//{EVIL}:443",
    f"//[::1]@{EVIL}",
    f"//\u2025{EVIL}",
    f"/\u2028/{EVIL}",
    f"ftp://{EVIL}",
    "javascript:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "javascript://testserver/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "https://[",
    "//[::1",
    "home",  # name of a view, not a URL
    "nothing",
]
FORMS = [
    "/language/",
    "/theme/",
    "/@bob/follow/",
    "/@bob/unfollow/",
    "/@bob/mute/",
    "/@bob/unmute/",
    "/@bob/unblock/",
]


def leads_away(url):
    """Parse like a browser: ignore outer spaces and line breaks, treat backslashes as slashes."""
    url = re.sub(r"[\t\r\n]", "", url.strip("".join(map(chr, range(33))))).replace("\\", "/")
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", url)
    return not re.match(r"http://testserver(?:[/?#]|$)", url) if scheme else url.startswith("//")


def test_leads_away_recognises_tricks():
    assert all(
        map(
            leads_away,
            [f"https://{EVIL}", f"//{EVIL}", f"/\t/{EVIL}", f" /\\{EVIL}", "javascript:alert(1)"],
        )
    )
    assert leads_away(f"http://testserver.{EVIL}/")
    assert not any(map(leads_away, ["/", "/posts/?x=//y", "http://testserver/x", "", "relative"]))
    assert len(TRICKS) >= 50


@pytest.fixture
def unlimited(settings):
    settings.RATE_LIMITS, settings.ACCOUNT_RATE_LIMITS = False, False
    # A fast hasher, because the tests sign in hundreds of times.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_form_redirects_stay_on_site(client, alice, bob, unlimited):
    client.force_login(alice)
    for path in FORMS:
        for trick in TRICKS:
            response = client.post(path, {"next": trick, "language": "en", "theme": "dark"})
            assert response.status_code in (204, 302), (path, trick)
            assert not leads_away(response.headers.get("Location", "")), (path, trick)


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/admin/login/"])
def test_entrance_redirects_signed_in_users_on_site(client, unlimited, staff, path):
    client.force_login(staff)
    for trick in TRICKS:
        response = client.get(path, {"next": trick})
        assert response.status_code == 302, trick
        assert not leads_away(response.url), trick


@pytest.mark.parametrize("place", ["query", "form"])
def test_sign_in_and_out_stay_on_site(client, unlimited, alice, place):
    for trick in TRICKS[::5]:
        query, form = ({"next": trick}, {}) if place == "query" else ({}, {"next": trick})
        for path, typed in (
            ("/accounts/login/", {"login": "alice", "password": PASSWORD}),
            ("/accounts/logout/", {}),
        ):
            response = client.post(path, typed | form, query_params=query)
            assert response.status_code == 302, (path, trick)
            assert not leads_away(response.url), (path, trick)


def test_reauthentication_stays_on_site(client, unlimited, alice):
    client.force_login(alice)
    for trick in TRICKS:
        response = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": trick})
        assert response.status_code == 302, trick
        assert not leads_away(response.url), trick


def test_links_keep_next_on_site(client, db, unlimited):
    for path in ("/accounts/login/", "/accounts/signup/", "/admin/login/"):
        for trick in TRICKS:
            page = client.get(path, {"next": trick})
            if page.status_code == 302:
                assert not leads_away(page.url), trick
                continue
            links = re.findall(r'(?:href|action)="([^"]+)"', page.content.decode())
            assert not any(map(leads_away, links)), trick


def test_queue_dashboard_redirects_stay_on_site(client, staff):
    dashboard = "/admin/django_rq/dashboard/queues"
    client.force_login(staff)
    for trick in TRICKS:
        response = client.post(f"{dashboard}/actions/0/", {"next_url": trick})
        assert response.status_code in (302, 400), trick
        assert not leads_away(response.headers.get("Location", "")), trick
    response = client.get(f"{dashboard}/confirm-action/0/", headers={"referer": f"https://{EVIL}/"})
    assert response.url == f"{dashboard}/0/"
    response = client.post(f"{dashboard}/actions/0/", {"next_url": f"{dashboard}/0/failed/"})
    assert response.url == f"{dashboard}/0/failed/"
