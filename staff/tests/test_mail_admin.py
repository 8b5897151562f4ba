import uuid

import pytest
from django.utils import timezone

from tasks.models import MailStatus
from tasks.tests.models import SampleMail

from .conftest import LIST, MAIL_LIST

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def get_page(client, support):
    client.force_login(support)

    def get(path=""):
        response = client.get(MAIL_LIST + path)
        assert response.status_code == 200, path
        return response.content.decode()

    return get


@pytest.fixture
def mail(failed_task):
    """Create a mail that was tried three times."""
    SampleMail.objects.update(tries=3, error="451 try later")
    return failed_task.pending_mail


def test_mail_list_shows_state_error_and_task(get_page, mail):
    page = get_page()
    assert "Waiting to be sent (3 tries)" in page
    assert "451 try later" in page
    assert f'<a href="{LIST}{mail.task_id}/change/">Sample task of alice</a>' in page


def test_mail_page_shows_message_id(get_page, mail):
    page = get_page(f"{mail.pk}/change/")
    assert mail.message_id.strip("<>") in page
    assert mail.job_id in page


def test_mail_page_omits_fields_not_listed(get_page, mail):
    SampleMail.objects.update(problem="secret-text")
    for path in ("", f"{mail.pk}/change/", f"{mail.pk}/history/"):
        assert "secret-text" not in get_page(path)
        assert mail.task.owner.email not in get_page(path)


@pytest.mark.parametrize(
    "query", ["problem__startswith=s", "problem=secret-text", "task__owner__email__startswith=a"]
)
def test_hidden_mail_fields_cannot_be_guessed(client, support, mail, query):
    client.force_login(support)
    assert client.get(f"{MAIL_LIST}?{query}").status_code == 400


def test_task_list_rejects_foreign_lookups(client, support, task):
    client.force_login(support)
    assert client.get(f"{LIST}?owner__email__startswith=a").status_code == 400
    assert client.get(f"{LIST}?traceback__contains=a").status_code == 400
    assert client.get(f"{LIST}?status__exact=READY").status_code == 200


def test_mail_list_filters_by_status(get_page, mail):
    assert "451 try later" in get_page("?status__exact=PENDING")
    assert "451 try later" not in get_page("?status__exact=SENT&age=day")
    SampleMail.objects.update(status=MailStatus.SENT, sent_at=timezone.now())
    assert "451 try later" in get_page("?status__exact=SENT&age=day")


def test_mail_is_found_by_message_id(get_page, mail):
    assert "451 try later" in get_page(f"?q={mail.message_id}")
    assert "451 try later" not in get_page(f"?q={uuid.uuid4()}")


def test_mails_cannot_be_edited(client, staff, mail):
    client.force_login(staff)
    assert client.get(f"{MAIL_LIST}add/").status_code == 403
    assert client.post(f"{MAIL_LIST}{mail.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{MAIL_LIST}{mail.pk}/change/", {"status": "SENT"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [str(mail.pk)], "post": "yes"}
    client.post(MAIL_LIST, data)
    assert SampleMail.objects.get().status == MailStatus.PENDING


def test_mail_list_query_count_is_constant(
    client, support, request_task, django_assert_max_num_queries
):
    for number in range(5):
        task = request_task(f"person{number}")
        task.claim()
        task.fail("ERROR", "")
    client.force_login(support)
    with django_assert_max_num_queries(10):
        client.get(MAIL_LIST)


def test_mail_list_requires_its_own_permission(client, staff_without_permissions, mail):
    client.force_login(staff_without_permissions)
    assert client.get(MAIL_LIST).status_code == 403
    assert client.get(f"{MAIL_LIST}{mail.pk}/change/").status_code == 403
