"""Archives of others, removed archives and unknown ids are indistinguishable 404s."""

import uuid

import pytest

from conftest import delete_account
from exports.models import ExportTask
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGES = ["", "download/"]


def keep(task):
    pass


def expire(task):
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=from_now(-1))


def delete_owner(task):
    delete_account(task.owner)


def delete_file(task):
    task.archive.storage.delete(task.archive.name)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("change", [keep, expire, delete_owner])
def test_archive_of_other_user_looks_nonexistent(
    client, bob, staff, downloadable_task, page, change
):
    change(downloadable_task)
    for user in (bob, staff):
        client.force_login(user)
        foreign = client.get(f"/exports/{downloadable_task.pk}/{page}")
        unknown = client.get(f"/exports/{uuid.uuid4()}/{page}")
        assert foreign.status_code == unknown.status_code == 404
        assert content(foreign) == content(unknown)


@pytest.mark.parametrize("change", [expire, delete_file])
def test_own_removed_archive_looks_nonexistent(client, alice, downloadable_task, change):
    change(downloadable_task)
    client.force_login(alice)
    removed, unknown = (
        client.get(f"/exports/{pk}/download/") for pk in (downloadable_task.pk, uuid.uuid4())
    )
    assert removed.status_code == unknown.status_code == 404
    assert content(removed) == content(unknown)


@pytest.mark.parametrize("page", PAGES)
def test_visitors_are_redirected_before_any_lookup(client, downloadable_task, page):
    for pk in (downloadable_task.pk, uuid.uuid4()):
        path = f"/exports/{pk}/{page}"
        assert client.get(path).url == f"/accounts/login/?next={path}"


def content(response):
    """Return the main part of the page without its URL and CSRF token."""
    page = response.content.decode().replace(response.wsgi_request.path, "")
    return (
        page.replace(response.wsgi_request.META.get("CSRF_COOKIE", "-"), "")
        .split("<main")[1]
        .split("</main>")[0]
    )
