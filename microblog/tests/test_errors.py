"""Errors that are no faults of the site: an unavailable database, clients that hang up."""

import logging
import threading

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.db import InterfaceError, OperationalError, connection, connections
from django.http import UnreadablePostError
from django.test import Client
from django.urls import path

from blog.models import User

FAULTS = [
    OperationalError("database is locked"),
    InterfaceError("connection already closed"),
    EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ClientError({"Error": {"Code": "503"}}, "HeadObject"),
]


def raising(error):
    def view(request):
        raise error

    return view


@pytest.fixture
def request_page(settings):
    """Request a page whose view raises the given error."""

    def get(error, **options):
        from microblog import urls

        class Urls:
            handler500 = urls.handler500
            urlpatterns = [path("fault/", raising(error)), *urls.urlpatterns]

        settings.ROOT_URLCONF = Urls
        return Client(raise_request_exception=False).get("/fault/", **options)

    return get


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_unavailable_service_is_503_without_queries(request_page, error):
    response = request_page(error)  # without the `db` fixture a query raises
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    page = response.content.decode()
    assert "Part of the site isn't responding" in page
    assert "locked" not in page


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("x")])
def test_bug_is_500(request_page, error):
    response = request_page(error)
    assert response.status_code == 500
    assert "It is our fault" in response.content.decode()


def test_unavailable_service_is_explained_in_the_readers_language(request_page, settings):
    response = request_page(FAULTS[0], headers={"Accept-Language": "es"})
    assert '<html lang="es">' in response.content.decode()


def test_client_that_hangs_up_is_no_error(request_page, caplog):
    with caplog.at_level(logging.WARNING):
        response = request_page(UnreadablePostError("connection reset"))
    assert response.status_code == 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.fixture
def lock():
    """Lock the SQLite database, as a backup or another program may, until the test ends."""
    connection.close()
    held, done = threading.Event(), threading.Event()

    def hold():
        with connections["default"].cursor() as cursor:
            cursor.execute("BEGIN EXCLUSIVE")
            held.set()
            done.wait(60)
            cursor.execute("ROLLBACK")
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    yield
    done.set()
    thread.join()


@pytest.fixture
def impatient(monkeypatch):
    """Wait for a lock for a moment instead of 20 seconds."""
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "timeout", 0.2)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/exports/", "/posts/", "/@bob/follow/", "/api/v1/exports/"])
def test_click_during_an_exclusive_lock_is_503(make_user, impatient, request, path):
    alice, _bob = make_user("alice"), make_user("bob")
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    headers = api_headers(alice) if path.startswith("/api/") else {}
    request.getfixturevalue("lock")
    response = client.post(path, {"body": "Hello", "kind": "posts"}, headers=headers)
    if headers:
        response = client.post(path, {"kind": "posts"}, "application/json", headers=headers)
        assert response["Content-Type"] == "application/problem+json"
    assert response.status_code == 503, response.content
    assert response["Retry-After"] == "60"
    assert not alice.export_tasks.exists()


def api_headers(user):
    from blog.models import ApiToken

    return {"Authorization": f"Bearer {ApiToken.objects.issue(user, 'A program', False)[1]}"}


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/", "/exports/", "/settings/"])
def test_pages_are_shown_during_an_exclusive_lock(make_user, impatient, request, path):
    client = Client()
    client.force_login(make_user("alice"))
    request.getfixturevalue("lock")
    assert client.get(path).status_code == 200
    assert User.objects.get().last_seen_at is None
