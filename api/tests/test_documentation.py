import pytest

from api.v1 import api

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DOCS = "/api/docs/"


def test_it_names_every_operation_and_shape(client):
    text = client.get(DOCS).content.decode()
    schema = api.get_openapi_schema()
    for path, operations in schema["paths"].items():
        assert text.count(f"<code>{path}</code>") == len(operations)
    for name in ("PostOut", "Problem", "ExportOut"):
        assert f'id="{name}"' in text
    assert "280 characters at most, counted as Unicode code points." in text


def test_every_link_to_a_shape_leads_to_one(client):
    text = client.get(DOCS).content.decode()
    links = {part.partition('"')[0] for part in text.split('href="#')[1:]} - {"content"}
    assert links
    assert {name for name in links if f'id="{name}"' not in text} == set()


@pytest.mark.parametrize("path", ["/api/", "/api/docs"])
def test_one_is_led_there(client, path):
    assert client.get(path).url == DOCS


def test_it_can_only_be_read(client):
    assert client.post(DOCS).status_code == 405


def test_it_is_as_strict_as_every_page(client):
    page = client.get(DOCS)
    assert "style=" not in page.content.decode()
    assert "<script>" not in page.content.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]


def test_it_costs_a_visitor_no_query(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get(DOCS)


def test_it_is_in_the_readers_language(client):
    assert (
        '<h2 class="section-title">Publicaciones</h2>'
        in client.get(DOCS, headers={"accept-language": "es"}).content.decode()
    )
