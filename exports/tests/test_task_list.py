import django_rq
import pytest
from django.urls import reverse
from redis import Redis

from blog.models import Notification
from exports.models import ErrorCode, ExportTask, Status

pytestmark = pytest.mark.django_db
URL = "/exports/"


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return lambda: client.get(URL).content.decode()


@pytest.fixture
def ask(client, alice, django_capture_on_commit_callbacks):
    client.force_login(alice)

    def post():
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(URL, follow=True)

    return post


def test_strangers_are_sent_to_sign_in(client):
    for response in (client.get(URL), client.post(URL)):
        assert response.status_code == 302
        assert response.url == f"{reverse('account_login')}?next={URL}"
    assert not ExportTask.objects.exists()


def test_other_methods_are_refused(client, alice):
    client.force_login(alice)
    assert client.put(URL).status_code == 405


def test_a_request_needs_the_csrf_token(alice):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(URL).status_code == 403


def test_asking_enqueues_after_commit(alice, ask):
    response = ask()
    task = alice.export_tasks.get()
    assert response.redirect_chain == [(f"/exports/{task.pk}/", 302)]
    assert "Your archive is requested" in response.content.decode()
    assert django_rq.get_queue("default").get_job_ids() == [task.job_id]


def test_the_second_click_finds_the_first_ones_task(alice, ask):
    ask()
    response = ask()
    assert "under way already" in response.content.decode()
    assert alice.export_tasks.count() == 1
    assert len(django_rq.get_queue("default").get_job_ids()) == 1


def test_the_request_stands_while_the_broker_is_away(alice, ask, monkeypatch):
    monkeypatch.setattr(
        "django_rq.queues.get_connection", lambda name: Redis.from_url("unix:///nowhere.sock")
    )
    assert "Your archive is requested" in ask().content.decode()
    assert alice.export_tasks.get().status == Status.READY


def test_the_language_of_the_page_is_kept_for_the_mail(alice, ask, client):
    client.post(URL, headers={"accept-language": "es"})
    assert alice.export_tasks.get().language == "es"


def test_an_empty_list_says_what_to_do(page):
    assert "Export your posts" in page()


def test_it_shows_only_ones_own(page, bob):
    ExportTask.objects.request(bob.pk)
    assert str(bob.export_tasks.get().pk) not in page()


@pytest.mark.django_db(transaction=True)
def test_it_shows_size_checksum_and_download(page, finished_task):
    text = page()
    assert finished_task.archive_sha256 in text
    assert f"/exports/{finished_task.pk}/download/" in text


def test_it_says_what_went_wrong_and_offers_another_try(page, task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "secret trace")
    text = page()
    assert "longer than an export may take" in text
    assert "Ask again" in text
    assert "secret trace" not in text


def test_news_of_a_failure_is_on_every_page_until_it_was_seen(client, alice, task):
    client.force_login(alice)
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    assert "could not be built" in client.get("/").content.decode()
    client.get(URL)
    assert "could not be built" not in client.get("/").content.decode()
    assert not Notification.objects.unread().exists()


def test_a_mail_that_was_given_up_is_said_so(client, page, task):
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    task.owed_mail.claim()
    task.mails.get().give_up("no address")
    client.get(URL)
    assert "could not be mailed" in page()


def test_nothing_is_shown_twice_across_pages(client, alice):
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


def test_a_cursor_from_nowhere_is_a_404(client, alice):
    client.force_login(alice)
    for cursor in ("x", "1-2", "9" * 30 + "-x", "%00"):
        assert client.get(f"{URL}?before={cursor}").status_code == 404


def test_every_page_shows_the_bar_with_the_count(client, alice, task):
    client.force_login(alice)
    task.rows_total = 5000
    task.save()
    task.claim()
    task.renew(1200)
    for url in ("/", "/@alice/", URL):
        text = client.get(url).content.decode()
        assert "1,200 of 5,000 posts" in text
        assert "<progress" in text


def test_it_costs_the_same_however_many_there_are(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get(URL)
    for number in range(25):
        ExportTask.objects.create(owner=alice, status=Status.FAILED, error_code=ErrorCode.ERROR)
        if number in (0, 24):
            with django_assert_num_queries(9):
                client.get(URL)
