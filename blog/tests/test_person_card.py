import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_card_is_fragment_with_counts_and_button(client, alice, bob):
    baker.make(Post, author=bob, _quantity=2)
    client.force_login(alice)
    card = client.get("/@bob/card/").content.decode()
    assert "<html" not in card
    assert "<b>2</b> posts" in card
    assert 'action="/@bob/follow/"' in card


def test_own_card_has_no_follow_button(client, alice):
    client.force_login(alice)
    assert "/follow/" not in client.get("/@alice/card/").content.decode()


def test_card_links_anonymous_visitor_to_login(client, alice):
    assert "/accounts/login/?next=/%40alice/" in client.get("/@alice/card/").content.decode()


def test_card_of_unknown_user_is_not_found(client):
    assert client.get("/@nobody/card/").status_code == 404


def test_card_makes_one_query(client, alice, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/@alice/card/")


def test_card_rejects_post(client, alice):
    assert client.post("/@alice/card/").status_code == 405
