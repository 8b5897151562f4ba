import pytest
from django.urls import reverse

from exports.archive.coverage import EXCLUDED
from exports.archive.sections import SECTIONS
from exports.models import ExportTask, Status
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/exports/new/account/"


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return lambda url=URL: client.get(url).content.decode()


def test_visitor_is_redirected_to_sign_in(client):
    assert client.get(URL).url == f"{reverse('account_login')}?next={URL}"


def test_request_page_rejects_post(client, alice):
    client.force_login(alice)
    assert client.post(URL).status_code == 405


def test_unknown_kind_is_404(client, alice):
    client.force_login(alice)
    assert client.get("/exports/new/photos/").status_code == 404


def test_request_page_lists_contents_and_exclusions(page):
    text = page()
    assert not [section.file_name for section in SECTIONS if section.file_name not in text]
    assert not [
        exclusion.description
        for exclusion in EXCLUDED
        if str(exclusion.description) not in text or str(exclusion.reason) not in text
    ]
    assert 'name="kind" value="account"' in text
    assert "Export your account" in text


def test_archive_without_exclusions_lists_none(page):
    text = page("/exports/new/posts/")
    assert "posts.json" in text
    assert "What is not in it" not in text


def test_request_page_shows_progress_of_unfinished_task(page, alice):
    ExportTask.objects.request(alice, "account", rows_total=20)
    text = page()
    assert "0 of 20 entries" in text
    assert "Export your account</button>" not in text


def test_request_page_shows_end_of_cooldown(page, alice, settings):
    settings.EXPORT_COOLDOWN = 600
    ExportTask.objects.create(
        owner=alice, kind="account", status=Status.SUCCESSFUL, finished_at=from_now(-60)
    )
    text = page()
    assert "You can ask for another at" in text
    assert "Export your account</button>" not in text


def test_request_page_query_count_is_constant(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get(URL)
    for number in range(25):
        ExportTask.objects.create(owner=alice, kind="account", status=Status.CANCELLED)
        if number in (0, 24):
            with django_assert_num_queries(6):
                client.get(URL)
