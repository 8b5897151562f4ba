import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/language/"


def test_visitors_language_is_kept_in_cookie(client):
    response = client.post(URL, {"language": "es", "next": "/"})
    assert response.url == "/"
    assert '<html lang="es"' in client.get("/").content.decode()


def test_users_language_is_saved(client, alice):
    client.force_login(alice)
    client.post(URL, {"language": "zh-hans", "next": "/@alice/"})
    alice.refresh_from_db()
    assert alice.language == "zh-hans"
    assert '<html lang="zh-hans"' in client.get("/").content.decode()


@pytest.mark.parametrize("code", ["", "xx", "fr", "es\0", "../es"])
def test_unknown_language_changes_nothing(client, alice, code):
    client.force_login(alice)
    assert client.post(URL, {"language": code, "next": "/"}).status_code == 302
    alice.refresh_from_db()
    assert alice.language == ""
    assert '<html lang="en"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    "next_url",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"],
)
def test_language_choice_never_redirects_to_other_site(client, next_url):
    assert (
        client.post(URL, {"language": "es", "next": next_url}, headers={"accept": "text/html"}).url
        == "/"
    )


def test_footer_names_languages_in_themselves(client):
    page = client.get("/").content.decode()
    for name in ("English", "Español", "简体中文"):
        assert name in page


def test_language_choice_rejects_get(client):
    assert client.get(URL).status_code == 405
