import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/language/"


def test_a_visitors_choice_is_kept_in_a_cookie(client):
    response = client.post(URL, {"language": "es", "next": "/"})
    assert response.url == "/"
    assert '<html lang="es"' in client.get("/").content.decode()


def test_a_persons_choice_is_stored(client, alice):
    client.force_login(alice)
    client.post(URL, {"language": "zh-hans", "next": "/@alice/"})
    alice.refresh_from_db()
    assert alice.language == "zh-hans"
    assert '<html lang="zh-hans"' in client.get("/").content.decode()


@pytest.mark.parametrize("code", ["", "xx", "fr", "es\0", "../es"])
def test_an_unknown_language_changes_nothing(client, alice, code):
    client.force_login(alice)
    assert client.post(URL, {"language": code, "next": "/"}).status_code == 302
    alice.refresh_from_db()
    assert alice.language == ""
    assert '<html lang="en"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"],
)
def test_it_leads_to_no_other_site(client, elsewhere):
    assert (
        client.post(URL, {"language": "es", "next": elsewhere}, headers={"accept": "text/html"}).url
        == "/"
    )


def test_every_page_offers_the_languages_in_their_own_words(client):
    page = client.get("/").content.decode()
    for name in ("English", "Español", "简体中文"):
        assert name in page


def test_it_is_for_posting_only(client):
    assert client.get(URL).status_code == 405
