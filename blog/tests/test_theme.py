import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/theme/"


@pytest.mark.parametrize("theme", ["system", "light", "dark"])
def test_chosen_theme_applies_to_every_page(client, theme):
    assert client.post(URL, {"theme": theme, "next": "/explore/"}).url == "/explore/"
    for path in ("/", "/accounts/login/", "/nowhere/"):
        page = client.get(path).content.decode()
        assert f'data-theme="{theme}"' in page
        assert f'value="{theme}" aria-current="true"' in page


def test_system_theme_is_default(client):
    page = client.get("/").content.decode()
    assert 'data-theme="system"' in page
    assert '<meta name="color-scheme" content="light dark">' in page


def test_theme_cookie_is_http_only_for_a_year(client):
    cookie = client.post(URL, {"theme": "dark"}).cookies["theme"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (
        True,
        "Lax",
        365 * 24 * 3600,
    )


@pytest.mark.parametrize("theme", ["", "pink", "dark\0"])
def test_unknown_theme_changes_nothing(client, theme):
    response = client.post(URL, {"theme": theme})
    assert response.url == "/"
    assert not response.cookies


def test_forged_theme_cookie_is_escaped(client):
    client.cookies["theme"] = "x'><script>"
    assert "<script>" not in client.get("/").content.decode()


def test_theme_choice_never_redirects_to_other_site(client):
    assert client.post(URL, {"theme": "dark", "next": "https://evil.example/"}).url == "/"


def test_theme_choice_rejects_get(client):
    assert client.get(URL).status_code == 405
