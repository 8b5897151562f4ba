import pytest
from model_bakery import baker

from blog.models import Block, Follow, Post

pytestmark = pytest.mark.django_db


def test_block_page_asks_for_confirmation(as_alice, bob):
    page = as_alice.get("/@bob/block/").content.decode()
    assert "Block bob?" in page
    assert "Neither of you sees the other" in page
    assert not Block.objects.exists()


def test_blocked_profile_shows_only_name_and_unblock(as_alice, alice, bob):
    baker.make(Post, author=bob, body="Bob was here")
    bob.about_me = "Birds and boats"
    bob.save()
    Follow.objects.create(follower=bob, followed=alice)
    response = as_alice.post("/@BOB/block/", follow=True)
    page = response.content.decode()
    assert response.redirect_chain == [("/@bob/", 302)]
    assert "<h1" in page
    assert 'action="/@bob/unblock/"' in page
    assert "Bob was here" not in page
    assert "Birds and boats" not in page
    assert "follower" not in page
    assert not Follow.objects.exists()


def test_blocked_user_sees_same_as_for_unknown_user(client, alice, bob, make_user):
    Block.objects.block(alice, bob)
    Block.objects.block(make_user("carol"), alice)
    client.force_login(bob)
    paths = ["/@{}/", "/@{}/card/", "/@{}/block/", "/@{}/report/", "/@{}/followers/"]
    for path in paths:
        blocker, unknown = client.get(path.format("alice")), client.get(path.format("nobody"))
        assert blocker.status_code == unknown.status_code == 404
        assert without_variable_parts(blocker) == without_variable_parts(unknown)
    for verb in ("mute", "block", "follow"):
        assert client.post(f"/@alice/{verb}/").status_code == 404


def without_variable_parts(response):
    """Return the page's lines, without the username, the CSRF token and the time."""
    lines = response.content.decode().replace("alice", "nobody").splitlines()
    return [
        line for line in lines if "csrfmiddlewaretoken" not in line and "data-since" not in line
    ]


def test_unblock_twice_redirects_to_profile(as_alice, alice, bob):
    Block.objects.block(alice, bob)
    for _ in range(2):
        response = as_alice.post("/@bob/unblock/", {"next": "/@bob/"})
        assert response.url == "/@bob/"
    assert not Block.objects.exists()
    assert as_alice.get("/@bob/").status_code == 200


def test_unblock_does_not_reveal_block_by_other(client, alice, bob):
    Block.objects.block(alice, bob)
    client.force_login(bob)
    answers = [client.post(f"/@{name}/unblock/") for name in ("alice", "nobody")]
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, "/settings/blocks/")}
    assert Block.objects.count() == 1


def test_unblock_keeps_block_by_other(as_alice, alice, bob):
    Block.objects.block(alice, bob)
    Block.objects.block(bob, alice)
    assert 'action="/@bob/unblock/"' in as_alice.get("/@bob/").content.decode()
    as_alice.post("/@bob/unblock/")
    assert as_alice.get("/@bob/").status_code == 404


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_blocking_oneself_or_unknown_user_is_not_found(as_alice, name):
    assert as_alice.get(f"/@{name}/block/").status_code == 404
    assert as_alice.post(f"/@{name}/block/").status_code == 404


def test_anonymous_block_redirects_to_login(client, bob):
    assert client.get("/@bob/block/").url == "/accounts/login/?next=/%40bob/block/"
    assert client.post("/@bob/unblock/").url == "/accounts/login/"


def test_block_and_unblock_reject_wrong_methods(as_alice, bob):
    assert as_alice.get("/@bob/unblock/").status_code == 405
    assert as_alice.put("/@bob/block/").status_code == 405


def test_menu_offers_block_for_others_only(as_alice, alice, bob, client):
    baker.make(Post, author=alice)
    baker.make(Post, author=bob)
    page = as_alice.get("/explore/").content.decode()
    assert page.count('<details class="more-menu') == 2  # her own post has one, too
    assert page.count('href="/@bob/block/"') == 1
    for path in ("/@bob/", "/@bob/card/"):
        assert 'href="/@bob/block/"' in as_alice.get(path).content.decode()
    assert "/block/" not in as_alice.get("/@alice/").content.decode()
    client.logout()
    assert "/block/" not in client.get("/explore/").content.decode()
