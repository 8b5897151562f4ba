import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.django_db


def test_it_shows_the_person_and_their_posts_alone(client, alice, bob):
    alice.about_me = "Trains & soup"
    alice.save()
    baker.make(Post, author=alice, body="by alice")
    baker.make(Post, author=bob, body="by bob")
    page = client.get("/@alice/").content.decode()
    assert "Trains &amp; soup" in page
    assert "by alice" in page
    assert "by bob" not in page


def test_a_name_in_another_case_leads_to_the_one_address(client, alice):
    response = client.get("/@ALICE/")
    assert response.status_code == 302
    assert response.url == "/@alice/"


@pytest.mark.parametrize("name", ["nobody", "no%20body", "%00", "ali%00ce", "é", "a" * 65])
def test_an_unknown_name_is_not_found(client, alice, name):
    assert client.get(f"/@{name}/").status_code == 404


def test_the_export_is_offered_on_ones_own_profile_only(client, alice, bob):
    assert "Export your posts" not in client.get("/@alice/").content.decode()
    client.force_login(bob)
    assert "Export your posts" not in client.get("/@alice/").content.decode()
    client.force_login(alice)
    assert "Export your posts" in client.get("/@alice/").content.decode()


def test_it_takes_as_many_queries_for_many_posts_as_for_one(client, alice, django_assert_num_queries):
    baker.make(Post, author=alice, _quantity=21)
    with django_assert_num_queries(2):  # the person, the posts
        client.get("/@alice/")


def test_somebody_without_posts_has_a_page(client, alice):
    assert "Nothing written yet." in client.get("/@alice/").content.decode()


def test_it_cannot_be_posted_to(client, alice):
    assert client.post("/@alice/").status_code == 405
