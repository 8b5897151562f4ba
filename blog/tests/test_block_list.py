import pytest
from model_bakery import baker

from blog.models import Block, Mute, User

pytestmark = pytest.mark.django_db
URL = "/settings/blocks/"


def make_users(prefix, count):
    return baker.make(
        User, username=iter(f"{prefix}{n}" for n in range(count)), email="", _quantity=count
    )


def test_block_list_shows_blocked_and_muted_users(client, alice, bob, make_user):
    Block.objects.block(alice, bob)
    Mute.objects.create(muter=alice, muted=make_user("carol"))
    client.force_login(alice)
    page = client.get(URL).content.decode()
    assert 'action="/@bob/unblock/"' in page
    assert 'href="/@bob/"' not in page
    assert 'action="/@carol/unmute/"' in page
    assert f'href="{URL}"' in client.get("/settings/").content.decode()


def test_block_list_excludes_blocks_by_others_and_inactive(client, alice, bob, make_user):
    Block.objects.block(bob, alice)
    Mute.objects.create(muter=alice, muted=bob)  # bob has blocked alice
    Block.objects.block(alice, make_user("inactive", is_active=False))
    client.force_login(alice)
    response = client.get(URL)
    assert response.context["blocks"].items == response.context["mutes"].items == []
    assert response.content.decode().count("Nobody.") == 2


def test_block_list_is_paginated_in_constant_queries(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    for prefix, count in (("few", 1), ("more", 21)):
        Block.objects.bulk_create(
            Block(blocker=alice, blocked=person) for person in make_users(f"b{prefix}", count)
        )
        Mute.objects.bulk_create(
            Mute(muter=alice, muted=person) for person in make_users(f"m{prefix}", count)
        )
        # Session, user, blocks, mutes, latest exports, progress bars.
        with django_assert_num_queries(6):
            first = client.get(URL)
    older = client.get(URL, {"blocked": first.context["blocks"].older})
    assert len(older.context["blocks"].items) == 2
    assert len(older.context["mutes"].items) == 20
    assert f"{URL}?muted=" in older.content.decode()


@pytest.mark.parametrize("query", [{"blocked": "nonsense"}, {"muted": "nonsense"}])
def test_block_list_rejects_bad_cursor(client, alice, query):
    client.force_login(alice)
    assert client.get(URL, query).status_code == 404


def test_anonymous_block_list_redirects_to_login(client):
    assert client.get(URL).url == f"/accounts/login/?next={URL}"


def test_block_list_rejects_post(client, alice):
    client.force_login(alice)
    assert client.post(URL).status_code == 405
