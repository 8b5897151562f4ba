"""Conformance of the API with its OpenAPI document, by property-based tests."""

import json

import hypothesis
import pytest
import schemathesis
from django.core.serializers.json import DjangoJSONEncoder
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from model_bakery import baker
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import v1
from api.v1 import api
from blog.models import ApiToken, Post
from exports.models import ExportTask
from imports.models import ImportTask
from microblog.wsgi import application

DOCUMENT = "/api/v1/openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_dict(
    json.loads(json.dumps(api.get_openapi_schema(), cls=DjangoJSONEncoder))
)
schema.app = application


@pytest.fixture
def persistent_connection(db, settings):
    """Keep the database connection, and so the test's transaction, open between requests."""
    settings.ALLOWED_HOSTS, settings.RATE_LIMITS = ["localhost"], False
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(persistent_connection, alice, bob):
    return {"Authorization": f"Bearer {ApiToken.objects.issue(alice, 'Try', False)[1]}"}


def make_instance(path, owner):
    if "/exports/" in path:
        return ExportTask.objects.request(owner)[0]
    if "/imports/" in path:
        ImportTask.objects.all().delete()
        return baker.make(ImportTask, owner=owner, source="mastodon")
    return baker.make(Post, author=owner)


@schema.parametrize()
@hypothesis.settings(max_examples=hypothesis.settings().max_examples // 10)
def test_responses_conform_to_schema(case, headers, alice):
    case.call_and_validate(headers=headers, checks=CHECKS)
    if "pk" in case.path_parameters:  # no generated key would exist
        case.path_parameters["pk"] = make_instance(case.path, alice).pk
        case.call_and_validate(headers=headers, checks=CHECKS)


def test_openapi_document_is_public(client, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        document = client.get(DOCUMENT)
    assert document["Content-Type"].startswith("application/json")
    assert document["Content-Language"] == "en"
    assert client.post(DOCUMENT).status_code == 405


def test_openapi_document_is_translated_per_request(client, db, monkeypatch):
    original = client.get(DOCUMENT).json()
    monkeypatch.setattr(v1, "gettext", str.upper)
    uppercase = client.get(DOCUMENT).json()
    monkeypatch.undo()
    operation = uppercase["paths"]["/api/v1/posts/"]["get"]
    assert operation["summary"] == "YOUR POSTS, NEWEST FIRST"
    assert operation["parameters"][0]["description"].startswith("WHERE THE PAGE BEGINS")
    assert (
        uppercase["components"]["schemas"]["PostOut"]["properties"]["url"]["description"]
        == "THE POST'S PAGE."
    )
    assert client.get(DOCUMENT).json() == original


def test_openapi_operations_are_unique_and_need_token(client, db):
    paths = json.loads(client.get(DOCUMENT).content)["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 21
    assert all(operation["security"] == [{"Token": []}] for operation in operations)
    assert all({"401", "429", "500"} <= set(operation["responses"]) for operation in operations)
