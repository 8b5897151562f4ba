import pytest
from django.urls import reverse

from exports.archive.coverage import EXCLUDED
from exports.archive.sections import SECTIONS
from exports.models import ExportTask, Status
from exports.models.clock import from_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/exports/new/account/"


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return lambda url=URL: client.get(url).content.decode()


def test_strangers_are_sent_to_sign_in(client):
    assert client.get(URL).url == f"{reverse('account_login')}?next={URL}"


def test_other_methods_are_refused(client, alice):
    client.force_login(alice)
    assert client.post(URL).status_code == 405


def test_a_kind_that_there_is_not_is_a_404(client, alice):
    client.force_login(alice)
    assert client.get("/exports/new/photos/").status_code == 404


def test_it_lists_what_is_in_the_archive_and_what_is_not(page):
    text = page()
    assert not [section.file_name for section in SECTIONS if section.file_name not in text]
    assert not [
        exclusion.description
        for exclusion in EXCLUDED
        if str(exclusion.description) not in text or str(exclusion.reason) not in text
    ]
    assert 'name="kind" value="account"' in text
    assert "Export your account" in text


def test_an_archive_that_leaves_nothing_out_says_so_by_silence(page):
    text = page("/exports/new/posts/")
    assert "posts.json" in text
    assert "What is not in it" not in text


def test_while_one_is_under_way_it_shows_how_far(page, alice):
    ExportTask.objects.request(alice.pk, "account", rows_total=20)
    text = page()
    assert "0 of 20 entries" in text
    assert "Export your account</button>" not in text


def test_while_the_last_is_new_it_says_when_to_come_back(page, alice, settings):
    settings.EXPORT_COOLDOWN = 600
    ExportTask.objects.create(
        owner=alice, kind="account", status=Status.SUCCESSFUL, finished_at=from_now(-60)
    )
    text = page()
    assert "You can ask for another at" in text
    assert "Export your account</button>" not in text


def test_it_costs_the_same_however_many_there_are(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get(URL)
    for number in range(25):
        ExportTask.objects.create(owner=alice, kind="account", status=Status.CANCELLED)
        if number in (0, 24):
            with django_assert_num_queries(6):
                client.get(URL)
