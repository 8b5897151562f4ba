import pytest
from model_bakery import baker

from blog.models import Follow, Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PROFILE = "/api/v1/profile/"


@pytest.fixture
def edit_profile(api_client):
    return lambda **fields: api_client.patch(PROFILE, fields, content_type="application/json")


def test_profile_detail_returns_own_profile(api_client, alice, bob, settings):
    settings.SITE_URL = "https://microblog.example"
    baker.make(Post, author=alice, _quantity=2)
    Follow.objects.create(follower=alice, followed=bob)
    assert api_client.get(PROFILE).json() == {
        "username": "alice",
        "url": "https://microblog.example/@alice/",
        "about_me": "",
        "language": "",
        "time_zone": "",
        "joined_at": alice.date_joined.isoformat().replace("+00:00", "Z"),
        "posts": 2,
        "following": 1,
        "followers": 0,
    }


def test_profile_edit_keeps_omitted_fields(edit_profile, alice):
    assert edit_profile(about_me="Walks", language="es").status_code == 200
    response = edit_profile(time_zone="Europe/Madrid")
    assert (response.json()["about_me"], response.json()["language"]) == ("Walks", "es")
    alice.refresh_from_db()
    assert (alice.about_me, alice.language, alice.time_zone) == ("Walks", "es", "Europe/Madrid")


@pytest.mark.parametrize(
    "fields",
    [
        {"about_me": "x" * 281},
        {"language": "xx"},
        {"time_zone": "Mars/Olympus"},
        {"about_me": "a\0b"},
    ],
)
def test_profile_edit_rejects_invalid_values(edit_profile, alice, fields):
    response = edit_profile(**fields)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == list(fields)
    assert User.objects.filter(pk=alice.pk).values("about_me", "language", "time_zone").get() == {
        "about_me": "",
        "language": "",
        "time_zone": "",
    }


@pytest.mark.parametrize("field", ["username", "email", "is_staff", "password"])
def test_profile_edit_rejects_other_fields(edit_profile, alice, field):
    assert edit_profile(**{field: "x"}).json()["errors"] == [
        {"field": field, "detail": "There is no such field."}
    ]
