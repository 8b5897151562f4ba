import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from model_bakery import baker

from blog.models import Follow, Post, User

pytestmark = pytest.mark.django_db


def test_profile_shows_user_and_own_posts(client, alice, bob):
    alice.about_me = "Trains & soup"
    alice.save()
    baker.make(Post, author=alice, body="by alice")
    baker.make(Post, author=bob, body="by bob")
    page = client.get("/@alice/").content.decode()
    assert "Trains &amp; soup" in page
    assert "by alice" in page
    assert "by bob" not in page


def test_profile_redirects_other_case(client, alice):
    response = client.get("/@ALICE/")
    assert response.status_code == 302
    assert response.url == "/@alice/"


@pytest.mark.parametrize("name", ["nobody", "no%20body", "%00", "ali%00ce", "é", "a" * 65])
def test_unknown_username_is_404(client, alice, name):
    assert client.get(f"/@{name}/").status_code == 404


def test_export_is_offered_on_own_profile_only(client, alice, bob):
    assert "Export your posts" not in client.get("/@alice/").content.decode()
    client.force_login(bob)
    assert "Export your posts" not in client.get("/@alice/").content.decode()
    client.force_login(alice)
    assert "Export your posts" in client.get("/@alice/").content.decode()


def test_profile_query_count_for_many_posts(client, alice, django_assert_num_queries):
    baker.make(Post, author=alice, _quantity=21)
    with django_assert_num_queries(2):  # the person, the posts
        client.get("/@alice/")


def test_profile_counts_posts_and_follows(client, alice, bob, staff, django_assert_num_queries):
    baker.make(Post, author=alice, _quantity=3)
    baker.make(Post, author=bob)
    for follower, followed in ((alice, bob), (bob, alice), (staff, alice)):
        baker.make(Follow, follower=follower, followed=followed)
    with django_assert_num_queries(2):
        page = client.get("/@alice/").content.decode()
    assert "<b>3</b> posts" in page
    assert "<b>1</b> following" in page
    assert "<b>2</b> followers" in page


def test_profile_counts_use_indexes(alice, many_posts):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = User.objects.with_profile(alice).filter(username__lower="alice").explain()
    whole = (
        r"SCAN (blog_|U\d)(?! USING INDEX blog_user_closed)"
        if connection.vendor == "sqlite"
        else "Seq Scan"
    )
    assert not re.search(whole, plan)
    assert len(re.findall("COVERING INDEX|Index Only Scan", plan)) >= 3


def test_profile_shows_last_visit(client, alice):
    assert "Last seen" not in client.get("/@alice/").content.decode()
    alice.last_seen_at = timezone.now() - timedelta(minutes=3)
    alice.save()
    assert "Last seen 3\xa0minutes ago" in client.get("/@alice/").content.decode()


def test_edit_link_is_shown_on_own_profile_only(client, alice, bob):
    client.force_login(bob)
    assert "Edit your profile" not in client.get("/@alice/").content.decode()
    assert "Edit your profile" in client.get("/@bob/").content.decode()


def test_profile_without_posts_says_so(client, alice):
    assert "Nothing written yet." in client.get("/@alice/").content.decode()


def test_profile_rejects_post(client, alice):
    assert client.post("/@alice/").status_code == 405
