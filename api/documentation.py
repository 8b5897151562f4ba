"""Documentation page, rendered from the OpenAPI document."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from blog.rate_limits import RATES

from .problems import DETAILS, PHRASES
from .v1 import api

JSON = "application/json"


@dataclass(frozen=True)
class Field:
    """Parameter of an operation, or field of a schema."""

    name: str
    type: str
    schema: str
    """Name of the schema that `type` links to, or empty."""
    description: str
    is_required: bool


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    summary: str
    parameters: list[Field]
    fields: list[Field]
    responses: list[tuple[int, str, str]]
    """Status, description, and name of the body's schema, or empty."""
    problems: list[int]


@dataclass
class Section:
    title: str
    operations: list[Operation] = field(default_factory=list)


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    document = api.get_openapi_schema()
    schemas = document["components"]["schemas"]
    context = {
        "sections": _sections(document["paths"], schemas),
        "schemas": {
            name: _fields(schema) for name, schema in schemas.items() if not name.endswith("In")
        },
        "enumerations": {
            name: schema["enum"] for name, schema in schemas.items() if "enum" in schema
        },
        "problems": {
            status: (PHRASES[status], detail)
            for status, detail in DETAILS.items()
            if status != HTTPStatus.INTERNAL_SERVER_ERROR
        },
        "rate": RATES["api"],
        "minutes": RATES["api"].seconds // 60,
        "site_url": settings.SITE_URL,
    }
    return render(request, "api/documentation.html", context)


def _sections(paths: dict[str, Any], schemas: dict[str, Any]) -> list[Section]:
    """Group the operations by their tag."""
    sections: dict[str, Section] = {}
    for path, operations in paths.items():
        for method, data in operations.items():
            (tag,) = data["tags"]
            operation = _operation(method.upper(), path, data, schemas)
            sections.setdefault(tag, Section(_(tag))).operations.append(operation)
    return list(sections.values())


def _operation(method: str, path: str, data: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    body_schema = _schema_name(data.get("requestBody", {}))
    responses = data["responses"].items()
    return Operation(
        method=method,
        path=path,
        summary=data["summary"],
        parameters=[
            _field(parameter["name"], parameter["schema"], parameter["required"])
            for parameter in data["parameters"]
            if parameter["in"] == "query"
        ],
        fields=_fields(schemas[body_schema]) if body_schema else [],
        responses=[
            (int(status), response["description"], _schema_name(response))
            for status, response in responses
            if status < 400
        ],
        problems=[int(status) for status, _response in responses if status >= 400],
    )


def _fields(schema: dict[str, Any]) -> list[Field]:
    """Return the fields of an object schema; an enumeration has none."""
    required = schema.get("required", [])
    return [
        _field(name, property_schema, name in required)
        for name, property_schema in schema.get("properties", {}).items()
    ]


def _field(name: str, schema: dict[str, Any], is_required: bool) -> Field:
    type_text, schema_name = _type(schema)
    return Field(
        name=name,
        type=type_text,
        schema=schema_name,
        description=schema.get("description", ""),
        is_required=is_required,
    )


def _type(schema: dict[str, Any]) -> tuple[str, str]:
    """Return the type as text, and the name of the schema it refers to, or empty."""
    if "anyOf" in schema:
        type_text, schema_name = _type(schema["anyOf"][0])
        return _("%(kind)s or null") % {"kind": type_text}, schema_name
    if schema.get("type") == "array":
        type_text, schema_name = _type(schema["items"])
        return _("list of %(kind)s") % {"kind": type_text}, schema_name
    if values := schema.get("enum"):
        return " | ".join(values), ""
    if name := _referenced_name(schema):
        return name, name
    return schema.get("format") or schema.get("type", ""), ""


def _schema_name(message: dict[str, Any]) -> str:
    """Return the name of the JSON schema of a request body or response, or empty."""
    return _referenced_name(message.get("content", {}).get(JSON, {}).get("schema", {}))


def _referenced_name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
