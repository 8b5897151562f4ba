import pytest
from django.utils import timezone
from model_bakery import baker

from blog.accounts.jobs import send_account_mail
from blog.models import MAIL_LEASE, AccountMail, Block, Mute, Notification, Post, User

pytestmark = pytest.mark.django_db


def told(user):
    return list(user.notifications.order_by("pk").values_list("name", flat=True))


def test_a_new_follower_is_news_once(as_alice, alice, bob):
    for _ in range(2):
        as_alice.post("/@bob/follow/")
        as_alice.post("/@bob/unfollow/")
    as_alice.post("/@bob/follow/")
    row = bob.notifications.get()
    assert (row.name, row.actor, row.payload) == (f"follow:{alice.pk}", alice, {"name": "alice"})


def test_whom_a_post_names_is_told_once(as_alice, alice, bob, make_user):
    make_user("carol")
    as_alice.post("/posts/", {"body": "@bob and @Bob, but not @nobody or myself, @alice"})
    post = alice.posts.get()
    assert told(bob) == [f"mention:{post.pk}"]
    as_alice.post(f"/posts/{post.pk}/edit/", {"body": "@bob and @carol"})
    assert [told(person) for person in User.objects.order_by("pk")] == [
        [],
        *[[f"mention:{post.pk}"]] * 2,
    ]


def test_a_post_that_staff_hid_calls_nobody(as_alice, alice, bob):
    post = baker.make(Post, author=alice, hidden_at=timezone.now())
    as_alice.post(f"/posts/{post.pk}/edit/", {"body": "@bob"})
    assert told(bob) == []


def test_a_post_cannot_call_everybody(as_alice, make_user):
    people = [make_user(f"p{number}") for number in range(12)]
    as_alice.post("/posts/", {"body": " ".join(f"@{person.username}" for person in people)})
    assert Notification.objects.count() == 10


def test_what_goes_takes_its_news_along(as_alice, alice, bob):
    as_alice.post("/posts/", {"body": "@bob"})
    as_alice.post("/@bob/follow/")
    Post.objects.all().delete()
    assert told(bob) == [f"follow:{alice.pk}"]
    alice.delete()
    assert told(bob) == []


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_nothing_is_told_across_a_block(as_alice, alice, bob, blocker):
    Block.objects.put(*((alice, bob) if blocker == "alice" else (bob, alice)))
    as_alice.post("/posts/", {"body": "@bob"})
    assert told(bob) == []


@pytest.mark.parametrize(
    ("choice", "deed", "subject"),
    [
        (
            "has_follow_mail",
            lambda client: client.post("/@bob/follow/"),
            "[Microblog] alice follows you now",
        ),
        (
            "has_mention_mail",
            lambda client: client.post("/posts/", {"body": "@bob"}),
            "[Microblog] alice mentioned you",
        ),
    ],
)
def test_it_comes_by_mail_where_it_is_wished(
    as_alice, alice, bob, capture_mails, choice, deed, subject
):
    User.objects.filter(pk=bob.pk).update(**{choice: True})
    with capture_mails() as mails:
        deed(as_alice)
    assert [(mail.subject, mail.to) for mail in mails] == [(subject, [bob.email])]
    assert "/settings/notifications/" in mails[0].body


@pytest.mark.parametrize("why_not", ["not wished", "muted", "unconfirmed"])
def test_it_does_not_otherwise(as_alice, alice, bob, capture_mails, why_not):
    User.objects.filter(pk=bob.pk).update(has_mention_mail=why_not != "not wished")
    if why_not == "muted":
        Mute.objects.create(muter=bob, muted=alice)
    if why_not == "unconfirmed":
        bob.emailaddress_set.update(verified=False)
    with capture_mails() as mails:
        as_alice.post("/posts/", {"body": "@bob"})
    assert not mails


def a_minute_later(mailoutbox):
    """The mails that the sweeper has sent by then."""
    AccountMail.objects.update(next_try_at=timezone.now())
    before = len(mailoutbox)
    for mail in AccountMail.objects.due():
        send_account_mail(str(mail.pk), mail.tries)
    return mailoutbox[before:]


def test_of_messages_the_first_unread_one_is_mailed_and_nothing_of_its_words(
    as_alice, alice, bob, capture_mails, mailoutbox
):
    with capture_mails() as mails:
        for body in ("a secret", "another", "another"):
            as_alice.post("/messages/@bob/", {"body": body})
    assert not mails
    mails = a_minute_later(mailoutbox)
    assert [(mail.subject, mail.to) for mail in mails] == [
        ("[Microblog] alice wrote to you", [bob.email])
    ]
    assert "/messages/@alice/" in mails[0].body
    assert "secret" not in str(mails[0].message())
    bob.received_messages.update(read_at=timezone.now())
    as_alice.post("/messages/@bob/", {"body": "one more"})
    AccountMail.objects.update(created_at=timezone.now() - 2 * MAIL_LEASE)
    assert AccountMail.objects.waiting().count() == 1
    assert len(a_minute_later(mailoutbox)) == 1


def test_who_has_read_a_message_by_then_gets_no_mail_of_it(as_alice, bob, mailoutbox):
    as_alice.post("/messages/@bob/", {"body": "Hello"})
    assert not AccountMail.objects.waiting().exists()
    bob.received_messages.update(read_at=timezone.now())
    assert not a_minute_later(mailoutbox)
    assert not AccountMail.objects.exists()


def test_who_has_read_the_first_of_two_gets_it(as_alice, bob, mailoutbox):
    for body in ("Hello", "Are you there?"):
        as_alice.post("/messages/@bob/", {"body": body})
    bob.received_messages.filter(body="Hello").update(read_at=timezone.now())
    assert len(a_minute_later(mailoutbox)) == 1
