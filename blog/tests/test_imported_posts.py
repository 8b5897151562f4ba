from datetime import UTC, datetime

import pytest
from django.db import IntegrityError

from blog.models import MAX_IMPORTED_LENGTH, Notification, Post, Report
from blog.notifications import notify_mention

pytestmark = pytest.mark.django_db

NOON = datetime(2020, 5, 17, 12, tzinfo=UTC)


@pytest.fixture
def import_post(alice):
    def create(body="From elsewhere", source_id="1", **fields):
        fields = {"author": alice, "source": "mastodon", "created_at": NOON} | fields
        return Post.objects.create(body=body, source_id=source_id, **fields)

    return create


def test_imported_post_links_to_original(client, import_post):
    post = import_post(source_url="https://social.example/@alice/1")
    page = client.get(post.get_absolute_url()).content.decode()
    link = '<a href="https://social.example/@alice/1" rel="nofollow ugc noopener">'
    assert f"{link}Imported from Mastodon</a>" in page


def test_own_post_has_no_source(client, alice):
    post = Post.objects.create(author=alice, body="Hello")
    assert b"post-source" not in client.get(post.get_absolute_url()).content


def test_imported_post_mentions_nobody(client, bob, import_post):
    post = import_post("Hello @bob")
    notify_mention(post)
    assert not Notification.objects.exists()
    assert b'href="/@bob/"' not in client.get(post.get_absolute_url()).content


def test_edit_of_imported_post_notifies_nobody(client, alice, bob, import_post):
    post = import_post("x" * 4000)
    client.force_login(alice)
    response = client.post(f"/posts/{post.pk}/edit/", {"body": "@bob " + "y" * 4000})
    assert response.status_code == 302
    assert Post.objects.get().edited_at is not None
    assert not Notification.objects.exists()


@pytest.mark.parametrize("path", ["/explore/feed/", "/@alice/feed/"])
def test_feeds_leave_out_imported_posts(client, alice, import_post, path):
    import_post("From elsewhere")
    Post.objects.create(author=alice, body="Written here")
    feed = client.get(path).content
    assert b"Written here" in feed
    assert b"From elsewhere" not in feed


@pytest.mark.parametrize("path", ["/explore/", "/@alice/", "/search/?q=word"])
def test_lists_fold_long_imported_posts(client, import_post, path):
    post = import_post("word " + "x" * MAX_IMPORTED_LENGTH)
    page = client.get(path).content.decode()
    assert '<article class="post post-folded"' in page
    assert f'<a class="post-unfold" href="{post.get_absolute_url()}" data-unfold>' in page


def test_page_of_post_shows_whole_text(client, import_post):
    post = import_post("x" * MAX_IMPORTED_LENGTH)
    page = client.get(post.get_absolute_url()).content.decode()
    assert "x" * MAX_IMPORTED_LENGTH in page
    assert "post-folded" not in page


@pytest.mark.both_databases
def test_source_id_occurs_once_per_author(alice, bob, import_post):
    import_post(source_id="7")
    import_post(source_id="7", author=bob)
    import_post(source_id="7", source="x")
    Post.objects.bulk_create([Post(author=alice, body="a"), Post(author=alice, body="b")])
    with pytest.raises(IntegrityError):
        import_post(source_id="7")


@pytest.mark.both_databases
def test_report_keeps_whole_imported_text(alice, bob, import_post):
    post = import_post("x" * MAX_IMPORTED_LENGTH)
    report, _ = Report.objects.get_or_create_open(bob, alice, post, "SPAM", "")
    assert Report.objects.get(pk=report.pk).excerpt == post.body
