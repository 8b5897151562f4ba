import pytest
from model_bakery import baker

from blog.models import Block, Mute, User

pytestmark = pytest.mark.django_db
URL = "/settings/blocks/"


def people(start, count):
    return baker.make(
        User, username=iter(f"{start}{n}" for n in range(count)), email="", _quantity=count
    )


def test_it_lists_both_with_the_way_back(client, alice, bob, make_user):
    Block.objects.block(alice, bob)
    Mute.objects.create(muter=alice, muted=make_user("carol"))
    client.force_login(alice)
    page = client.get(URL).content.decode()
    assert 'action="/@bob/unblock/"' in page
    assert 'href="/@bob/"' not in page
    assert 'action="/@carol/unmute/"' in page
    assert f'href="{URL}"' in client.get("/settings/").content.decode()


def test_others_lists_and_closed_accounts_are_left_out(client, alice, bob, make_user):
    Block.objects.block(bob, alice)
    Mute.objects.create(muter=alice, muted=bob)  # who has blocked alice meanwhile
    Block.objects.block(alice, make_user("gone", is_active=False))
    client.force_login(alice)
    response = client.get(URL)
    assert response.context["blocks"].items == response.context["mutes"].items == []
    assert response.content.decode().count("Nobody.") == 2


def test_both_are_paged_and_cost_the_same_for_many(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    for start, count in (("few", 1), ("more", 21)):
        Block.objects.bulk_create(
            Block(blocker=alice, blocked=person) for person in people(f"b{start}", count)
        )
        Mute.objects.bulk_create(
            Mute(muter=alice, muted=person) for person in people(f"m{start}", count)
        )
        with django_assert_num_queries(6):  # session, reader, blocks, mutes, news, bars
            first = client.get(URL)
    older = client.get(URL, {"blocked": first.context["blocks"].older})
    assert len(older.context["blocks"].items) == 2
    assert len(older.context["mutes"].items) == 20
    assert f"{URL}?muted=" in older.content.decode()


@pytest.mark.parametrize("query", [{"blocked": "nonsense"}, {"muted": "nonsense"}])
def test_a_bad_cursor_is_not_found(client, alice, query):
    client.force_login(alice)
    assert client.get(URL, query).status_code == 404


def test_a_visitor_is_led_to_sign_in(client):
    assert client.get(URL).url == f"/accounts/login/?next={URL}"


def test_it_cannot_be_posted_to(client, alice):
    client.force_login(alice)
    assert client.post(URL).status_code == 405
