import django_rq
import pytest
from django.urls import reverse
from redis import Redis

from blog.models import Notification
from exports.models import ErrorCode, ExportTask, Status
from exports.tests.conftest import build_result

pytestmark = pytest.mark.django_db
URL = "/exports/"


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return lambda: client.get(URL).content.decode()


@pytest.fixture
def request_export(client, alice, django_capture_on_commit_callbacks):
    client.force_login(alice)

    def post():
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(URL, follow=True)

    return post


def test_visitor_is_redirected_to_sign_in(client):
    for response in (client.get(URL), client.post(URL)):
        assert response.status_code == 302
        assert response.url == f"{reverse('account_login')}?next={URL}"
    assert not ExportTask.objects.exists()


def test_list_rejects_other_methods(client, alice):
    client.force_login(alice)
    assert client.put(URL).status_code == 405


def test_request_requires_csrf_token(alice):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(URL).status_code == 403


def test_request_enqueues_after_commit(alice, request_export):
    response = request_export()
    task = alice.export_tasks.get()
    assert response.redirect_chain == [(f"/exports/{task.pk}/", 302)]
    assert "Your archive is requested" in response.content.decode()
    assert django_rq.get_queue("default").get_job_ids() == [task.job_id]


def test_second_request_returns_unfinished_task(alice, request_export):
    request_export()
    response = request_export()
    assert "under way already" in response.content.decode()
    assert alice.export_tasks.count() == 1
    assert len(django_rq.get_queue("default").get_job_ids()) == 1


def test_request_is_saved_while_broker_is_down(alice, request_export, monkeypatch):
    monkeypatch.setattr(
        "django_rq.queues.get_connection", lambda name: Redis.from_url("unix:///nowhere.sock")
    )
    assert "Your archive is requested" in request_export().content.decode()
    assert alice.export_tasks.get().status == Status.READY


def test_request_saves_language_of_page(alice, request_export, client):
    client.post(URL, headers={"accept-language": "es"})
    assert alice.export_tasks.get().language == "es"


def test_empty_list_has_request_button(page):
    assert "Export your posts" in page()


def test_list_shows_only_own_tasks(page, bob):
    ExportTask.objects.request(bob)
    assert str(bob.export_tasks.get().pk) not in page()


@pytest.mark.django_db(transaction=True)
def test_list_shows_checksum_and_download_link(page, finished_task):
    text = page()
    assert finished_task.archive_sha256 in text
    assert f"/exports/{finished_task.pk}/download/" in text


def test_list_explains_failure_and_offers_retry(page, task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "secret trace")
    text = page()
    assert "longer than an export may take" in text
    assert "Ask again" in text
    assert "secret trace" not in text


def test_failure_alert_is_shown_until_read(client, alice, task):
    client.force_login(alice)
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    assert 'role="alert"' in client.get("/").content.decode()
    client.get(URL)
    assert 'role="alert"' not in client.get("/").content.decode()
    assert not Notification.objects.unread().exists()


def test_list_shows_mail_that_was_given_up(client, page, task):
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    task.pending_mail.claim()
    task.mails.get().give_up("no address")
    client.get(URL)
    assert "could not be mailed" in page()


def test_pagination_shows_each_task_once(client, alice):
    client.force_login(alice)
    ExportTask.objects.bulk_create(
        [ExportTask(owner=alice, status=Status.CANCELLED) for _ in range(25)]
    )
    first = client.get(URL)
    second = client.get(f"{URL}?before={first.context['page'].older}")
    assert (
        len({task.pk for task in [*first.context["page"].items, *second.context["page"].items]})
        == 25
    )


def test_invalid_cursor_is_404(client, alice):
    client.force_login(alice)
    for cursor in ("x", "1-2", "9" * 30 + "-x", "%00"):
        assert client.get(f"{URL}?before={cursor}").status_code == 404


def test_progress_bar_is_shown_on_all_pages(client, alice, task):
    client.force_login(alice)
    task.rows_total = 5000
    task.save()
    task.claim()
    task.renew(1200)
    for url in ("/", "/@alice/", URL):
        text = client.get(url).content.decode()
        assert "1,200 of 5,000 posts" in text
        assert "<progress" in text


def test_list_query_count_is_constant(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get(URL)
    for number in range(25):
        ExportTask.objects.create(owner=alice, status=Status.FAILED, error_code=ErrorCode.ERROR)
        if number in (0, 24):
            with django_assert_num_queries(9):
                client.get(URL)
