from xml.etree import ElementTree

import pytest

from blog.avatars import draw

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_avatar_is_svg_cached_for_a_year(client):
    response = client.get("/avatars/alice.svg")
    assert response.headers["Content-Type"] == "image/svg+xml"
    assert "max-age=31536000" in response.headers["Cache-Control"]
    assert "public" in response.headers["Cache-Control"]
    assert "Cookie" not in response.headers.get("Vary", "")


def test_avatar_request_makes_no_query(client, alice, django_assert_num_queries):
    client.force_login(alice)
    with django_assert_num_queries(0):
        client.get("/avatars/bob.svg")


def test_avatars_differ_between_names_and_ignore_case():
    assert draw("alice") == draw("ALICE")
    assert len({draw(f"person{number}") for number in range(500)}) == 500


@pytest.mark.parametrize("number", range(20))
def test_avatar_svg_is_well_formed_and_never_empty(number):
    image = ElementTree.fromstring(draw(f"person{number}"))  # noqa: S314 - our own
    _background, cells = image
    assert 7 <= cells.attrib["d"].count("M") <= 16


@pytest.mark.parametrize("name", ["no%20body", "%00", "a" * 65, ""])
def test_avatar_of_invalid_username_is_not_found(client, name):
    assert client.get(f"/avatars/{name}.svg").status_code == 404


def test_avatar_rejects_post(client):
    assert client.post("/avatars/alice.svg").status_code == 405
