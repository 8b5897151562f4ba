import pytest
from model_bakery import baker

from blog.models import Mute, Post

pytestmark = pytest.mark.django_db


def test_mute_twice_redirects_back(as_alice, alice, bob):
    for _ in range(2):
        response = as_alice.post("/@BOB/mute/", {"next": "/explore/"})
        assert response.url == "/explore/"
    assert alice.mutes.get().muted == bob
    assert "You will not come across bob any more." in as_alice.get("/explore/").content.decode()


def test_unmute_twice_removes_only_that_mute(as_alice, alice, bob, make_user):
    Mute.objects.create(muter=alice, muted=bob)
    Mute.objects.create(muter=bob, muted=alice)
    Mute.objects.create(muter=alice, muted=make_user("carol"))
    for _ in range(2):
        assert (
            as_alice.post("/@BOB/unmute/", {"next": "https://elsewhere.example/"}).url == "/@BOB/"
        )
    assert set(Mute.objects.values_list("muter__username", "muted__username")) == {
        ("bob", "alice"),
        ("alice", "carol"),
    }


def test_menu_offers_unmute_for_muted_author(as_alice, alice, bob):
    post = baker.make(Post, author=bob)
    Mute.objects.create(muter=alice, muted=bob)
    for path in ("/@bob/", "/@bob/card/", f"/posts/{post.pk}/"):
        page = as_alice.get(path).content.decode()
        assert 'action="/@bob/unmute/"' in page
        assert 'action="/@bob/mute/"' not in page


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_muting_oneself_or_unknown_user_is_not_found(as_alice, name):
    assert as_alice.post(f"/@{name}/mute/").status_code == 404


@pytest.mark.parametrize("verb", ["mute", "unmute"])
def test_mute_requires_post_and_login(client, as_alice, bob, verb):
    assert as_alice.get(f"/@bob/{verb}/").status_code == 405
    client.logout()
    assert client.post(f"/@bob/{verb}/").url == "/accounts/login/"
    assert not Mute.objects.exists()
