import pytest

from api.v1 import api

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DOCS = "/api/docs/"


def test_documentation_lists_all_operations_and_schemas(client):
    text = client.get(DOCS).content.decode()
    schema = api.get_openapi_schema()
    for path, operations in schema["paths"].items():
        assert text.count(f"<code>{path}</code>") == len(operations)
    for name in ("PostOut", "Problem", "ExportOut"):
        assert f'id="{name}"' in text
    assert "500 characters at most, counted as Unicode code points." in text


def test_documentation_links_lead_to_schemas(client):
    text = client.get(DOCS).content.decode()
    links = {part.partition('"')[0] for part in text.split('href="#')[1:]} - {"content"}
    assert links
    assert {name for name in links if f'id="{name}"' not in text} == set()


@pytest.mark.parametrize("path", ["/api/", "/api/docs"])
def test_documentation_redirects(client, path):
    assert client.get(path).url == DOCS


def test_documentation_rejects_post(client):
    assert client.post(DOCS).status_code == 405


def test_documentation_has_no_inline_code(client):
    page = client.get(DOCS)
    assert "style=" not in page.content.decode()
    assert "<script>" not in page.content.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]


def test_documentation_needs_no_queries(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get(DOCS)


def test_documentation_is_translated(client):
    assert (
        '<h2 class="section-title">Publicaciones</h2>'
        in client.get(DOCS, headers={"accept-language": "es"}).content.decode()
    )
