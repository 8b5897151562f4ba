"""An archive that is not one's own, not there any more, or never was: all the same 404, after the sign-in."""

import uuid

import pytest

from blog.accounts.deletion import delete_account
from exports.models import ExportTask
from exports.models.clock import from_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGES = ["", "download/"]


def expire(task):
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=from_now(-1))


def lose_its_owner(task):
    delete_account(task.owner)


def lose_its_file(task):
    task.archive.storage.delete(task.archive.name)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("change", [lambda task: None, expire, lose_its_owner])
def test_anothers_is_like_one_that_never_was(client, bob, staff, downloadable_task, page, change):
    change(downloadable_task)
    for person in (bob, staff):
        client.force_login(person)
        theirs = client.get(f"/exports/{downloadable_task.pk}/{page}")
        guessed = client.get(f"/exports/{uuid.uuid4()}/{page}")
        assert theirs.status_code == guessed.status_code == 404
        assert told(theirs) == told(guessed)


@pytest.mark.parametrize("change", [expire, lose_its_file])
def test_ones_own_that_is_gone_is_so_too(client, alice, downloadable_task, change):
    change(downloadable_task)
    client.force_login(alice)
    gone, guessed = (
        client.get(f"/exports/{pk}/download/") for pk in (downloadable_task.pk, uuid.uuid4())
    )
    assert gone.status_code == guessed.status_code == 404
    assert told(gone) == told(guessed)


@pytest.mark.parametrize("page", PAGES)
def test_visitors_sign_in_whatever_there_is(client, downloadable_task, page):
    for pk in (downloadable_task.pk, uuid.uuid4()):
        path = f"/exports/{pk}/{page}"
        assert client.get(path).url == f"/accounts/login/?next={path}"


def told(response):
    """The page without the address that was asked for and the form's token."""
    page = response.content.decode().replace(response.wsgi_request.path, "")
    return (
        page.replace(response.wsgi_request.META.get("CSRF_COOKIE", "-"), "")
        .split("<main")[1]
        .split("</main>")[0]
    )
