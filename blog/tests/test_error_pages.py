import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.views.defaults import permission_denied, server_error

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_404_page_explains_missing_page(client, alice):
    client.force_login(alice)
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_csrf_failure_is_explained():
    response = Client(enforce_csrf_checks=True).post("/language/", {"language": "es"})
    assert response.status_code == 403
    assert "That form was too old" in response.content.decode()


def test_403_page_explains_missing_permission(rf, alice):
    request = rf.get("/")
    request.user = alice
    response = permission_denied(request, PermissionDenied())
    assert response.status_code == 403
    assert "This is not yours to see" in response.content.decode()


@pytest.mark.parametrize(
    "url", ["/language/", "/posts/", "/@bob/follow/", "/settings/sessions/1/end/"]
)
def test_405_page_explains_post_only_url(client, alice, url):
    client.force_login(alice)
    response = client.get(url)
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    page = response.content.decode()
    assert "There is no page to look at here" in page
    assert 'href="/"' in page


def test_405_for_programs_has_no_page(client):
    assert client.get("/language/", headers={"accept": "application/json"}).content == b""
    assert client.post("/avatars/alice.svg").content == b""
    assert client.delete("/api/v1/me/")["Content-Type"] == "application/problem+json"


def test_500_page_needs_no_query(rf, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = server_error(rf.get("/"))
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
