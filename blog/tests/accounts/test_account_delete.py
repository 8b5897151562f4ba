import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from blog import moderation
from blog.accounts import deletion
from blog.models import (
    AccountDeletion,
    AccountMail,
    ApiToken,
    Conversation,
    Follow,
    Message,
    Post,
    User,
)
from conftest import PASSWORD
from tasks import jobs
from tasks.heartbeat import Heartbeat
from tasks.models import Status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in_client(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def test_delete_page_offers_export_and_explains(signed_in_client):
    page = signed_in_client.get("/settings/delete/").content.decode()
    assert "Export your account" in page
    assert "cannot be recalled" in page


def test_account_deletion_deletes_everything_and_sends_mail(
    signed_in_client, alice, bob, capture_mails
):
    baker.make(Post, author=alice)
    baker.make(Post, author=bob)
    other_client = type(signed_in_client)()
    other_client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    with capture_mails() as mails:
        response = signed_in_client.post("/settings/delete/", {"password": PASSWORD})
    assert response.url == "/"
    assert "Your account is gone" in signed_in_client.get("/").content.decode()
    assert list(User.objects.all()) == [bob]
    assert [post.author for post in Post.objects.all()] == [bob]
    assert other_client.get("/settings/").status_code == 302
    assert "alice" not in str([session.get_decoded() for session in Session.objects.all()])
    assert not Session.objects.filter(session_data="").exists()
    assert [(mail.to, mail.subject) for mail in mails] == [
        ([alice.email], "[Microblog] Your account is gone")
    ]


def test_mail_about_deletion_is_in_language_of_request(alice):
    task = deletion.request_deletion(alice)
    AccountDeletion.objects.update(language="es")
    jobs.run_task(task._meta.label, str(task.pk), task.attempt)
    assert "Hola" in AccountMail.objects.get().compose().body


@pytest.mark.parametrize("data", [{"password": "wrong"}, {"password": ""}, {}])
def test_account_deletion_requires_password(signed_in_client, alice, data):
    response = signed_in_client.post("/settings/delete/", data)
    assert response.status_code in {200, 422}
    assert User.objects.filter(pk=alice.pk).exists()


def test_account_deletion_limits_password_guesses(signed_in_client, alice):
    for _ in range(10):
        signed_in_client.post("/settings/delete/", {"password": "wrong"})
    signed_in_client.post("/settings/delete/", {"password": PASSWORD})
    assert User.objects.filter(pk=alice.pk).exists()


def test_account_deletion_requires_login(client, alice):
    assert client.post("/settings/delete/", {"password": PASSWORD}).url.startswith(
        "/accounts/login/"
    )
    assert User.objects.exists()


def test_failing_deletion_callback_rolls_back_deletion(alice, monkeypatch):
    def fail(user):
        raise RuntimeError(user.username)

    monkeypatch.setattr(deletion, "_callbacks", [fail])
    with pytest.raises(RuntimeError, match="alice"), transaction.atomic():
        deletion.request_deletion(alice)
    assert User.objects.filter(pk=alice.pk, is_active=True).exists()
    assert not AccountDeletion.objects.exists()


def run(task):
    jobs.run_task("blog.AccountDeletion", str(task.pk), task.attempt)
    task.refresh_from_db()


def test_account_is_hidden_before_its_rows_are_deleted(signed_in_client, client, alice, bob):
    post = baker.make(Post, author=alice, body="unmistakable")
    ApiToken.objects.issue(alice, "script", is_read_only=False)
    task = deletion.request_deletion(alice)
    assert (task.status, task.is_by_staff) == (Status.READY, False)
    assert Post.objects.filter(pk=post.pk).exists()
    assert not ApiToken.objects.exists()
    client.force_login(bob)
    for url in ("/@alice/", f"/posts/{post.pk}/", "/@alice/feed/"):
        assert client.get(url).status_code == 404
    for url in ("/explore/", "/search/?q=unmistakable"):
        assert "unmistakable</" not in client.get(url).content.decode()
    client.logout()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_second_request_returns_same_task(alice):
    task = deletion.request_deletion(alice)
    assert deletion.request_deletion(alice, by_staff=True) == task


def test_row_and_timeline_outlive_the_account(alice, staff):
    task = deletion.request_deletion(alice, by_staff=True, actor=staff)
    run(task)
    assert (task.status, task.owner, task.is_by_staff) == (Status.SUCCESSFUL, None, True)
    kinds = list(task.events.values_list("kind", flat=True))
    assert kinds == ["REQUESTED", "CLAIMED", "FINISHED"]
    assert task.events.first().actor == staff


def test_interrupted_deletion_continues_with_next_attempt(alice, monkeypatch):
    monkeypatch.setattr(deletion, "BATCH_SIZE", 10)
    baker.make(Post, author=alice, _quantity=35)
    report = Heartbeat.report
    batches = []

    def fail_at_third_batch(heartbeat, rows_done):
        batches.append(rows_done)
        if len(batches) == 3:
            raise OSError("interrupted")
        report(heartbeat, rows_done)

    monkeypatch.setattr(Heartbeat, "report", fail_at_third_batch)
    task = deletion.request_deletion(alice)
    with pytest.raises(OSError, match="interrupted"):
        run(task)
    task.refresh_from_db()
    assert (task.status, task.attempt) == (Status.READY, 2)
    assert 0 < alice.posts.count() < 35
    run(task)
    assert task.status == Status.SUCCESSFUL
    assert not User.objects.filter(pk=alice.pk).exists()


def test_user_and_end_of_task_are_one_transaction(alice, monkeypatch):
    task = deletion.request_deletion(alice)

    def fail(*args, **options):
        raise OSError("disk full")

    monkeypatch.setattr(deletion, "delete_user", fail)
    with pytest.raises(OSError, match="disk full"):
        run(task)
    task.refresh_from_db()
    assert task.status == Status.READY
    assert User.objects.filter(pk=alice.pk).exists()
    assert not AccountMail.objects.exists()


def test_failed_deletion_can_be_requested_again(alice):
    task = deletion.request_deletion(alice)
    task.claim()
    task.fail("ERROR", "trace")
    again = deletion.request_deletion(alice, by_staff=True)
    run(again)
    assert again.status == Status.SUCCESSFUL


def test_account_that_is_being_deleted_cannot_be_reactivated(alice, staff):
    deletion.request_deletion(alice)
    moderation.reactivate(alice, staff)
    alice.refresh_from_db()
    assert not alice.is_active


def test_closed_account_cannot_be_followed(alice, bob):
    deletion.request_deletion(alice)
    Follow.objects.follow(bob, alice)
    assert not Follow.objects.exists()


def test_every_batch_is_bounded(alice, bob, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(deletion, "BATCH_SIZE", 50)
    baker.make(Post, author=alice, _quantity=120)
    for number in range(60):
        Conversation.objects.get_or_create_between(alice, bob).add_message(bob, alice, f"{number}")
    task = deletion.request_deletion(alice)
    with CaptureQueriesContext(connection) as captured:
        run(task)
    longest = max(query["sql"].count(",") for query in captured if "DELETE" in query["sql"])
    assert longest <= 50
    assert task.status == Status.SUCCESSFUL
    assert (task.rows_done, Post.objects.count(), Message.objects.count()) == (
        task.rows_total,
        0,
        0,
    )


def test_staff_delete_page_lists_no_posts(client, staff, alice):
    baker.make(Post, author=alice, body="listed?", _quantity=3)
    client.force_login(staff)
    page = client.get(f"/admin/blog/user/{alice.pk}/delete/").content.decode()
    assert "listed?" not in page
    assert "alice" in page
