from xml.etree import ElementTree

import pytest

from blog.avatars import draw

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_is_an_image_to_be_kept_for_a_year(client):
    response = client.get("/avatars/alice.svg")
    assert response.headers["Content-Type"] == "image/svg+xml"
    assert "max-age=31536000" in response.headers["Cache-Control"]
    assert "public" in response.headers["Cache-Control"]
    assert "Cookie" not in response.headers.get("Vary", "")


def test_it_takes_no_query_and_notes_nobody(client, alice, django_assert_num_queries):
    client.force_login(alice)
    with django_assert_num_queries(0):
        client.get("/avatars/bob.svg")


def test_a_name_has_one_picture_and_another_name_another():
    assert draw("alice") == draw("ALICE")
    assert len({draw(f"person{number}") for number in range(500)}) == 500


@pytest.mark.parametrize("number", range(20))
def test_it_is_well_formed_and_never_empty(number):
    image = ElementTree.fromstring(draw(f"person{number}"))  # noqa: S314 - our own
    _ground, cells = image
    assert 7 <= cells.attrib["d"].count("M") <= 16


@pytest.mark.parametrize("name", ["no%20body", "%00", "a" * 65, ""])
def test_what_cannot_be_a_name_has_none(client, name):
    assert client.get(f"/avatars/{name}.svg").status_code == 404


def test_it_cannot_be_posted_to(client):
    assert client.post("/avatars/alice.svg").status_code == 405
