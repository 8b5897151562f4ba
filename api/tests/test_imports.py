import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from imports.models import ImportTask
from imports.uploads import upload_slot
from tasks.models import Status

pytestmark = pytest.mark.django_db

IMPORTS = "/api/v1/imports/"
ARCHIVE = (
    b'{"version": 1, "username": "ada", "posts": '
    b'[{"body": "a", "timestamp": "2020-01-01T00:00:00Z"}]}'
)


@pytest.fixture
def upload(api_client):
    def upload(content=ARCHIVE):
        return api_client.post(IMPORTS, {"file": SimpleUploadedFile("posts.json", content)})

    return upload


def test_import_create_stores_upload(api_client, alice, upload):
    response = upload()
    task = alice.import_tasks.get()
    assert response.status_code == 201
    assert response["Location"].endswith(f"{IMPORTS}{task.pk}/")
    data = response.json()
    assert (data["source"], data["phase"], data["status"]) == ("microblog", "PREVIEW", "READY")
    assert api_client.get(f"{IMPORTS}{task.pk}/").json() == data
    assert api_client.get(IMPORTS).json()["items"] == [data]


def test_import_create_rejects_other_files(upload):
    response = upload(b"hello")
    assert response.status_code == 422
    assert response.json()["errors"][0]["detail"].startswith("This is not an archive")
    assert not ImportTask.objects.exists()


def test_second_import_create_is_a_conflict(upload):
    upload()
    assert upload().status_code == 409


def test_import_create_without_file_is_rejected(api_client):
    assert api_client.post(IMPORTS).status_code == 422


def test_large_import_is_rejected_unread(upload, settings):
    settings.IMPORT_MAX_BYTES = 1000
    assert upload(b"x" * 200_000).status_code == 413


def test_import_create_waits_for_free_slot(upload, settings):
    settings.IMPORT_MAX_UPLOADS = 1
    with upload_slot():
        assert upload().status_code == 503
    assert upload().status_code == 201


def test_import_cancel_works_once(api_client, upload):
    task = upload().json()["id"]
    assert api_client.post(f"{IMPORTS}{task}/cancel/").json()["status"] == Status.CANCELLED
    assert api_client.post(f"{IMPORTS}{task}/cancel/").status_code == 409


def test_read_only_token_cannot_import(make_api_client, alice):
    client = make_api_client(alice, is_read_only=True)
    assert client.post(IMPORTS).status_code == 403


def test_import_of_another_user_is_not_found(make_api_client, bob, upload):
    task = upload().json()["id"]
    assert make_api_client(bob).get(f"{IMPORTS}{task}/").status_code == 404
