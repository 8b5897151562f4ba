import pytest

from conftest import METRICS_TOKEN as TOKEN

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def token(settings):
    settings.METRICS_TOKEN = TOKEN


def test_metrics_without_configured_token_are_404(client, settings):
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        response = client.get("/metrics", headers=headers)
        assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    "given", ["", TOKEN, f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Basic {TOKEN}", "Bearer ä"]
)
def test_wrong_token_is_401(client, given):
    response = client.get("/metrics", headers={"Authorization": given})
    assert (response.status_code, response.content) == (401, b"")


def test_requests_are_counted_by_view(client, alice, scrape):
    def count(view, status):
        return scrape().get(("microblog_requests_total", "GET", status, view), 0)

    before = count("profile", "200"), count("profile", "404")
    client.force_login(alice)
    client.get("/@alice/")
    client.get("/@nobody/")
    client.get("/@no-one/")
    assert (count("profile", "200") - before[0], count("profile", "404") - before[1]) == (1, 2)
    assert ("microblog_request_seconds_count", "profile") in scrape()
    assert not [key for key in scrape() if "alice" in str(key)]


def test_unknown_methods_share_a_label(client, scrape):
    client.generic("BREW", "/explore/")
    client.generic("STIR", "/explore/")
    methods = {key[1] for key in scrape() if key[0] == "microblog_requests_total"}
    assert methods <= {"GET", "HEAD", "POST", "other"}
