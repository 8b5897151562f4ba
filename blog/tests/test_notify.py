import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import AccountMail, Block, Mute, Notification, Post, User
from tasks import jobs
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db


def notification_names(user):
    return list(user.notifications.order_by("pk").values_list("name", flat=True))


def test_repeated_follow_notifies_once(as_alice, alice, bob):
    for _ in range(2):
        as_alice.post("/@bob/follow/")
        as_alice.post("/@bob/unfollow/")
    as_alice.post("/@bob/follow/")
    row = bob.notifications.get()
    assert (row.name, row.actor, row.payload) == (f"follow:{alice.pk}", alice, {"name": "alice"})


def test_mention_notifies_each_user_once(as_alice, alice, bob, make_user):
    make_user("carol")
    as_alice.post("/posts/", {"body": "@bob and @Bob, but not @nobody or myself, @alice"})
    post = alice.posts.get()
    assert notification_names(bob) == [f"mention:{post.pk}"]
    as_alice.post(f"/posts/{post.pk}/edit/", {"body": "@bob and @carol"})
    assert [notification_names(user) for user in User.objects.order_by("pk")] == [
        [],
        *[[f"mention:{post.pk}"]] * 2,
    ]


def test_hidden_post_notifies_nobody(as_alice, alice, bob):
    post = baker.make(Post, author=alice, hidden_at=timezone.now())
    as_alice.post(f"/posts/{post.pk}/edit/", {"body": "@bob"})
    assert notification_names(bob) == []


def test_post_notifies_at_most_ten_users(as_alice, make_user):
    users = [make_user(f"p{number}") for number in range(12)]
    as_alice.post("/posts/", {"body": " ".join(f"@{user.username}" for user in users)})
    assert Notification.objects.count() == 10


def test_notifications_are_deleted_with_post_and_actor(as_alice, alice, bob):
    as_alice.post("/posts/", {"body": "@bob"})
    as_alice.post("/@bob/follow/")
    Post.objects.all().delete()
    assert notification_names(bob) == [f"follow:{alice.pk}"]
    alice.delete()
    assert notification_names(bob) == []


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_mention_across_block_notifies_nobody(as_alice, alice, bob, blocker):
    Block.objects.block(*((alice, bob) if blocker == "alice" else (bob, alice)))
    as_alice.post("/posts/", {"body": "@bob"})
    assert notification_names(bob) == []


@pytest.mark.parametrize(
    ("setting", "url", "subject"),
    [
        ("has_follow_mail", "/@bob/follow/", "[Microblog] alice follows you now"),
        ("has_mention_mail", "/posts/", "[Microblog] alice mentioned you"),
    ],
    ids=["follow", "mention"],
)
def test_follow_and_mention_are_mailed_when_enabled(
    as_alice, bob, capture_mails, setting, url, subject
):
    User.objects.filter(pk=bob.pk).update(**{setting: True})
    with capture_mails() as mails:
        as_alice.post(url, {"body": "@bob"})
    assert [(mail.subject, mail.to) for mail in mails] == [(subject, [bob.email])]
    assert "/settings/notifications/" in mails[0].body


@pytest.mark.parametrize("reason", ["not wished", "muted", "unconfirmed"])
def test_unwanted_mention_is_not_mailed(as_alice, alice, bob, capture_mails, reason):
    User.objects.filter(pk=bob.pk).update(has_mention_mail=reason != "not wished")
    if reason == "muted":
        Mute.objects.create(muter=bob, muted=alice)
    if reason == "unconfirmed":
        bob.emailaddress_set.update(verified=False)
    with capture_mails() as mails:
        as_alice.post("/posts/", {"body": "@bob"})
    assert not mails


def send_due_mails(mailoutbox):
    """Make all mails due, send them as the sweeper does, and return them."""
    AccountMail.objects.update(next_try_at=from_now(-1))
    before = len(mailoutbox)
    for mail in AccountMail.objects.due():
        jobs.send_mail("blog.AccountMail", str(mail.pk), mail.tries)
    return mailoutbox[before:]


def test_first_unread_message_is_mailed_without_its_text(
    as_alice, alice, bob, capture_mails, mailoutbox
):
    with capture_mails() as mails:
        for body in ("a secret", "another", "another"):
            as_alice.post("/messages/@bob/", {"body": body})
    assert not mails
    mails = send_due_mails(mailoutbox)
    assert [(mail.subject, mail.to) for mail in mails] == [
        ("[Microblog] alice wrote to you", [bob.email])
    ]
    assert "/messages/@alice/" in mails[0].body
    assert "secret" not in str(mails[0].message())
    bob.received_messages.update(read_at=timezone.now())
    as_alice.post("/messages/@bob/", {"body": "one more"})
    AccountMail.objects.update(next_try_at=from_now(-1))
    assert AccountMail.objects.overdue().count() == 1
    assert len(send_due_mails(mailoutbox)) == 1


def test_message_read_in_time_is_not_mailed(as_alice, bob, mailoutbox):
    as_alice.post("/messages/@bob/", {"body": "Hello"})
    assert not AccountMail.objects.overdue().exists()
    bob.received_messages.update(read_at=timezone.now())
    assert not send_due_mails(mailoutbox)
    assert not AccountMail.objects.exists()


def test_mail_is_sent_when_later_message_is_unread(as_alice, bob, mailoutbox):
    for body in ("Hello", "Are you there?"):
        as_alice.post("/messages/@bob/", {"body": body})
    bob.received_messages.filter(body="Hello").update(read_at=timezone.now())
    assert len(send_due_mails(mailoutbox)) == 1
