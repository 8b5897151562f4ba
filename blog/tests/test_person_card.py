import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_is_a_part_of_a_page_with_counts_and_a_button(client, alice, bob):
    baker.make(Post, author=bob, _quantity=2)
    client.force_login(alice)
    card = client.get("/@bob/card/").content.decode()
    assert "<html" not in card
    assert "<b>2</b> posts" in card
    assert 'action="/@bob/follow/"' in card


def test_one_does_not_follow_oneself(client, alice):
    client.force_login(alice)
    assert "/follow/" not in client.get("/@alice/card/").content.decode()


def test_a_visitor_is_led_to_sign_in(client, alice):
    assert "/accounts/login/?next=/%40alice/" in client.get("/@alice/card/").content.decode()


def test_an_unknown_name_is_not_found(client):
    assert client.get("/@nobody/card/").status_code == 404


def test_it_takes_one_query(client, alice, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/@alice/card/")


def test_it_cannot_be_posted_to(client, alice):
    assert client.post("/@alice/card/").status_code == 405
