import pytest
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError, transaction
from django.utils import timezone
from model_bakery import baker

from blog import rate_limits
from blog.models import Block, Outcome, Post, Reason, Report
from blog.rate_limits import Rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(bob):
    return baker.make(Post, author=bob, body="Buy my boats")


@pytest.fixture(params=["person", "post"])
def url(request, bob, post):
    return "/@bob/report/" if request.param == "person" else f"/posts/{post.pk}/report/"


def test_post_report_keeps_text_of_post(as_alice, alice, bob, post):
    response = as_alice.post(
        f"/posts/{post.pk}/report/", {"reason": "SPAM", "comment": "The same\r\nevery day"}
    )
    report = Report.objects.get()
    assert response.url == f"/reports/{report.pk}/"
    assert (report.reporter, report.person, report.post, report.excerpt) == (
        alice,
        bob,
        post,
        "Buy my boats",
    )
    assert (report.reason, report.comment, report.handled_at) == (
        Reason.SPAM,
        "The same\nevery day",
        None,
    )


def test_user_report_has_no_post(as_alice, bob):
    assert as_alice.post("/@BOB/report/", {"reason": "ABUSE"}).status_code == 302
    report = Report.objects.get()
    assert (report.person, report.post, report.excerpt, report.comment) == (bob, None, "", "")


def test_repeated_report_is_not_saved_again(as_alice, url, bob):
    baker.make(Post, author=bob)
    for _ in range(2):
        response = as_alice.post(url, {"reason": "SPAM"}, follow=True)
    assert "You have reported this already." in response.content.decode()
    assert Report.objects.count() == 1


def test_user_and_each_post_are_reported_separately(as_alice, bob, post):
    other = baker.make(Post, author=bob)
    for url in ("/@bob/report/", f"/posts/{post.pk}/report/", f"/posts/{other.pk}/report/"):
        as_alice.post(url, {"reason": "SPAM"})
    assert Report.objects.count() == 3


def test_user_can_be_reported_after_deleted_post(as_alice, post):
    as_alice.post(f"/posts/{post.pk}/report/", {"reason": "SPAM"})
    post.delete()
    as_alice.post("/@bob/report/", {"reason": "SPAM"})
    assert Report.objects.filter(post=None).count() == 2


def test_subject_can_be_reported_again_after_closing(as_alice, url, staff):
    as_alice.post(url, {"reason": "SPAM"})
    Report.objects.all().handle(staff, Outcome.DISMISSED)
    as_alice.post(url, {"reason": "SPAM"})
    assert Report.objects.count() == 2


def test_database_refuses_duplicate_open_report(alice, bob):
    baker.make(Report, reporter=alice, person=bob, excerpt="")
    with pytest.raises(IntegrityError), transaction.atomic():
        baker.make(Report, reporter=alice, person=bob, excerpt="")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Please choose one."),
        ({"reason": "BORING"}, "Select a valid choice"),
        ({"reason": "SPAM", "comment": "x" * 501}, "This has 501 characters; 500 are allowed."),
        ({"reason": "SPAM", "comment": "a\0b"}, "NUL character"),
    ],
)
def test_invalid_report_is_rejected_and_text_kept(as_alice, url, fields, message):
    response = as_alice.post(url, {"comment": "what I typed"} | fields)
    assert response.status_code == 422
    page = response.content.decode()
    assert message in page
    assert fields.get("comment", "what I typed") in page
    assert not Report.objects.exists()


def test_report_comment_counts_emoji_as_one(as_alice, url):
    assert as_alice.post(url, {"reason": "SPAM", "comment": "😀" * 500}).status_code == 302


def test_rate_limited_report_keeps_text(as_alice, url, monkeypatch):
    monkeypatch.setitem(rate_limits.RATES, "report", Rate(0, 9, 3600))
    response = as_alice.post(url, {"reason": "SPAM", "comment": "what I typed"})
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    page = response.content.decode()
    assert "That was too often." in page
    assert "what I typed" in page
    assert not Report.objects.exists()


def test_report_form_shows_post(as_alice, post):
    assert "Buy my boats" in as_alice.get(f"/posts/{post.pk}/report/").content.decode()
    assert "Buy my boats" not in as_alice.get("/@bob/report/").content.decode()


def test_invisible_subject_cannot_be_reported(as_alice, alice, post):
    own = baker.make(Post, author=alice)
    hidden = baker.make(Post, author=post.author, hidden_at=timezone.now())
    for url in (
        "/@alice/report/",
        "/@nobody/report/",
        f"/posts/{own.pk}/report/",
        f"/posts/{hidden.pk}/report/",
    ):
        assert as_alice.get(url).status_code == 404
        assert as_alice.post(url, {"reason": "SPAM"}).status_code == 404


def test_blocker_can_report_blocked_user(as_alice, client, alice, bob):
    Block.objects.block(alice, bob)
    assert 'href="/@bob/report/"' in as_alice.get("/@bob/").content.decode()
    report = as_alice.post("/@bob/report/", {"reason": "ABUSE"}, follow=True)
    assert "Your report is with staff." in report.content.decode()
    assert "/mute/" not in report.content.decode()
    client.force_login(bob)
    assert client.get("/@alice/report/").status_code == 404


def test_anonymous_report_redirects_to_login(client, url):
    assert client.get(url).url.startswith("/accounts/login/?next=")
    assert client.post(url, {"reason": "SPAM"}).status_code == 302
    assert not Report.objects.exists()


def test_report_rejects_put(as_alice, url):
    assert as_alice.put(url).status_code == 405


def test_report_form_makes_five_queries(as_alice, post, django_assert_num_queries):
    as_alice.get("/")
    for url in ("/@bob/report/", f"/posts/{post.pk}/report/"):
        # Session, viewer, subject, latest exports, progress bars.
        with django_assert_num_queries(5):
            as_alice.get(url)


def test_draft_report_survives_expired_session(client, alice, url):
    typed = {"reason": "SPAM", "comment": "Every day"}
    assert client.post(url, typed).url == redirect_to_login(url).url
    client.force_login(alice)
    form = client.get(url).context["form"]
    assert {name: form[name].value() for name in typed} == typed
    assert not Report.objects.exists()
